"""Measure how many altered copies the leak check finds, and how many other patients it flags.

python tools/analysis_tools/leak_check_recall.py data/benchmark/store
"""

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from scipy.ndimage import shift
from skimage.exposure import equalize_adapthist
from skimage.transform import resize

from xaicovid_mm.data_prep.splits.near_duplicates import (
    MIN_CORRELATION,
    MIN_PRINT_CORRELATION,
    NEIGHBOURS,
    fingerprint,
    fingerprints,
    similarity,
)
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import user_errors

SAMPLE = 60
"""Slices of which altered copies are made."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _measure(SliceStore(args.store), Console(soft_wrap=True), np.random.default_rng(0))


def _measure(store: SliceStore, console: Console, rng: np.random.Generator) -> None:
    prints = fingerprints(store)
    patients = np.array([case.patient for case in store.cases])[store.index['case']]
    scores = _scores_between_patients(store, prints, patients)
    flagged = sum(score >= MIN_CORRELATION for score in scores)
    console.print(
        f'{len(store)} slices, pairs of two patients compared: {len(scores)}, flagged: {flagged}, '
        f'highest: {max(scores, default=0):.3f}'
    )
    rows = rng.choice(len(store), min(SAMPLE, len(store)), replace=False)
    for name, alter in _alterations(rng).items():
        hits = 0
        for row in rows:
            copy = np.float32(alter(store.display(row)))
            of_patient = np.flatnonzero(patients == patients[row])
            hits += _is_found(store, prints, copy, of_patient)
        console.print(f'{name}: {hits} of {len(rows)}')


def _scores_between_patients(
    store: SliceStore, prints: np.ndarray, patients: np.ndarray
) -> list[float]:
    """Return the similarity of every candidate pair of slices of two patients."""
    pairs: set[tuple[int, int]] = set()
    for row, patient in enumerate(patients):
        others = np.flatnonzero(patients != patient)
        candidates = others[_candidates(prints[others], prints[row])]
        pairs.update((min(row, other), max(row, other)) for other in candidates.tolist())
    return [similarity(store.display(one), store.display(other)) for one, other in pairs]


def _is_found(
    store: SliceStore, prints: np.ndarray, copy: np.ndarray, of_patient: np.ndarray
) -> bool:
    """Return whether a copy is flagged with a slice of its own patient."""
    candidates = np.intersect1d(_candidates(prints, fingerprint(copy)), of_patient)
    return any(similarity(copy, store.display(row)) >= MIN_CORRELATION for row in candidates)


def _candidates(prints: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Return the positions of the nearest fingerprints that are similar enough to compare."""
    correlation = prints @ one
    nearest = np.argsort(-correlation)[:NEIGHBOURS]
    return nearest[correlation[nearest] >= MIN_PRINT_CORRELATION]


def _alterations(rng: np.random.Generator) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return functions by name that alter a slice (H, W) in [0, 1]."""
    return {
        'JPEG 75': lambda image: _jpeg(image, 75),
        'JPEG 30': lambda image: _jpeg(image, 30),
        '1 pixel': lambda image: shift(image, (1, 1), order=0, mode='nearest'),
        'half a pixel': lambda image: shift(image, (0.5, 0.5), order=1, mode='nearest'),
        're-windowed': lambda image: ((image - 1 / 6) / (11 / 15)).clip(0, 1),
        'gamma 0.6': lambda image: image**0.6,
        'equalised': lambda image: equalize_adapthist(image, clip_limit=0.01),
        'shrunk': _shrink,
        'noise of 3 %': lambda image: (image + rng.normal(0, 0.03, image.shape)).clip(0, 1),
        'cropped by 2 %': _crop,
    }


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(file, 'JPEG', quality=quality)
    return np.asarray(Image.open(file)) / 255


def _shrink(image: np.ndarray) -> np.ndarray:
    side = round(0.6 * len(image))
    return resize(resize(image, (side, side), anti_aliasing=True), image.shape)


def _crop(image: np.ndarray) -> np.ndarray:
    margin = round(0.02 * len(image))
    return resize(image[margin:-margin, margin:-margin], image.shape)


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument('store', type=Path, help='slice store')
    return parser


if __name__ == '__main__':
    main()
