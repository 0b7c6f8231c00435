"""Measure how many altered copies the leak check finds, and how many other patients it flags.

python tools/analysis_tools/leak_check_recall.py data/benchmark/store
"""

import argparse
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.terminal import Console

SAMPLE = 60
"""Slices of which altered copies are made."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _measure(SliceStore(args.store), Console(soft_wrap=True), np.random.default_rng(0))


def _measure(store: SliceStore, console: Console, rng: np.random.Generator) -> None:
    from xaicovid_mm.data_prep.splits.near_duplicates import fingerprints

    start = time.process_time()
    prints = fingerprints(store)
    patients = np.array([case.patient for case in store.cases])[store.index['case']]
    scores = _scores_between_patients(store, prints, patients)
    console.print(
        f'{len(store)} slices, pairs of two patients flagged: {len(scores)}, highest: '
        f'{max(scores, default=0):.3f}, CPU seconds: {time.process_time() - start:.1f}'
    )
    rows = rng.choice(len(store), min(SAMPLE, len(store)), replace=False)
    for name, alter in _alterations(rng).items():
        hits = 0
        for row in rows:
            copy = np.float32(alter(store.display(row)))
            hits += _is_found(store, prints, copy, np.flatnonzero(patients == patients[row]))
        console.print(f'{name}: {hits} of {len(rows)}')


def _scores_between_patients(
    store: SliceStore, prints: np.ndarray, patients: np.ndarray
) -> list[float]:
    """Return the correlation of every pair of slices of two patients that is flagged."""
    from xaicovid_mm.data_prep.splits.near_duplicates import find_near_duplicates

    scores = {}
    for patient in np.unique(patients):
        mine = patients == patient
        groups = dict(rows=np.flatnonzero(mine), other_rows=np.flatnonzero(~mine))
        for row, other, score in find_near_duplicates(store, prints, **groups):
            scores[min(row, other), max(row, other)] = score
    return list(scores.values())


@dataclass
class _WithCopy:
    """A store whose row after the last is a copy."""

    store: SliceStore
    copy: np.ndarray

    def display(self, row: int) -> np.ndarray:
        return self.copy if row == len(self.store) else self.store.display(row)


def _is_found(
    store: SliceStore, prints: np.ndarray, copy: np.ndarray, of_patient: np.ndarray
) -> bool:
    """Return whether a copy is flagged with a slice of its own patient."""
    from xaicovid_mm.data_prep.splits.fingerprint import fingerprint
    from xaicovid_mm.data_prep.splits.near_duplicates import find_near_duplicates

    found = find_near_duplicates(
        cast(SliceStore, _WithCopy(store, copy)),
        np.concatenate([prints, fingerprint(copy)[None]], dtype=np.float32),
        rows=np.array([len(store)]),
        other_rows=np.arange(len(store)),
    )
    return bool({other for _, other, _ in found} & set(of_patient.tolist()))


def _alterations(rng: np.random.Generator) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return functions by name that alter a slice (H, W) in [0, 1]."""
    from scipy.ndimage import shift
    from skimage.exposure import equalize_adapthist
    from skimage.transform import rotate

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
        'cropped by 2 %': lambda image: _crop(image, 0.02),
        'cropped by 5 %': lambda image: _crop(image, 0.05),
        '4 pixels': lambda image: shift(image, (4, -4), order=0, mode='nearest'),
        'mirrored': lambda image: image[:, ::-1],
        'upside down': lambda image: image[::-1],
        'turned by 3 degrees': lambda image: rotate(image, 3, mode='edge'),
        'turned by 10 degrees': lambda image: rotate(image, 10, mode='edge'),
        'turned by a quarter': np.rot90,
        'turned by half': lambda image: image[::-1, ::-1],
        'transposed': np.transpose,
        'in a black frame of 10 %': lambda image: _framed(image, 0.1),
        'in a black frame of 20 %': lambda image: _framed(image, 0.2),
        'zoomed by 10 %': lambda image: _zoom(image, 1.1),
        'shrunk by 10 %': lambda image: _zoom(image, 0.9),
        'cropped by 10 %': lambda image: _crop(image, 0.1),
        'zoomed by 5 %': lambda image: _zoom(image, 1.05),
        'shrunk by 5 %': lambda image: _zoom(image, 0.95),
    }


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(file, 'JPEG', quality=quality)
    return np.asarray(Image.open(file)) / 255


def _shrink(image: np.ndarray) -> np.ndarray:
    from skimage.transform import resize

    side = round(0.6 * len(image))
    return resize(resize(image, (side, side), anti_aliasing=True), image.shape)


def _crop(image: np.ndarray, share: float) -> np.ndarray:
    from skimage.transform import resize

    margin = round(share * len(image))
    return resize(image[margin:-margin, margin:-margin], image.shape)


def _framed(image: np.ndarray, share: float) -> np.ndarray:
    from skimage.transform import resize

    margin = round(share * len(image))
    return resize(np.pad(image, margin), image.shape, anti_aliasing=True)


def _zoom(image: np.ndarray, factor: float) -> np.ndarray:
    from skimage.transform import AffineTransform, warp

    middle = (np.array(image.shape[::-1]) - 1) / 2
    moved = AffineTransform(scale=1 / factor, translation=middle * (1 - 1 / factor))
    return warp(image, moved, mode='edge')


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('store', type=Path, help='slice store')
    return parser


if __name__ == '__main__':
    main()
