"""How many altered copies the leak check finds in a store, and how many patients it mixes up.

python tools/analysis_tools/copy_recall.py data/benchmark/store
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from scipy.ndimage import shift
from skimage.exposure import equalize_adapthist
from skimage.transform import resize

from xaicovid_mm.data_prep.splits.near_duplicates import (
    COARSE,
    FINE,
    NEIGHBOURS,
    fingerprint,
    fingerprints,
    similarity,
)
from xaicovid_mm.data_prep.store.reader import SliceStore

SAMPLE = 60
rng = np.random.default_rng(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('store', type=Path)
    store = SliceStore(parser.parse_args().store)
    console, prints = Console(), fingerprints(store)
    patients = np.array([case.patient for case in store.cases])[store.index['case']]
    scores = _strangers(store, prints, patients)
    console.print(
        f'{len(store)} slices, pairs of two patients compared: {len(scores)}, flagged: '
        f'{sum(score >= FINE for score in scores)}, highest: {max(scores, default=0):.3f}'
    )
    rows = rng.choice(len(store), min(SAMPLE, len(store)), replace=False)
    for name, alter in COPIES.items():
        found = sum(_found(store, prints, patients, row, alter) for row in rows)
        console.print(f'{name}: {found} of {len(rows)}')


def _strangers(store: SliceStore, prints: np.ndarray, patients: np.ndarray) -> list[float]:
    pairs: set[tuple[int, int]] = set()
    for row, patient in enumerate(patients):
        others = np.flatnonzero(patients != patient)
        near = others[_near(prints[others], prints[row])]
        pairs.update((min(row, other), max(row, other)) for other in near.tolist())
    return [similarity(store.display(one), store.display(other)) for one, other in pairs]


def _found(
    store: SliceStore, prints: np.ndarray, patients: np.ndarray, row: int, alter: Callable
) -> bool:
    copy = np.float32(alter(store.display(row)))
    near = [r for r in _near(prints, fingerprint(copy)) if patients[r] == patients[row]]
    return any(similarity(copy, store.display(other)) >= FINE for other in near)


def _near(prints: np.ndarray, one: np.ndarray) -> np.ndarray:
    alike = prints @ one
    near = np.argsort(-alike)[:NEIGHBOURS]
    return near[alike[near] >= COARSE]


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(file, 'JPEG', quality=quality)
    return np.asarray(Image.open(file)) / 255


def _shrunk(image: np.ndarray) -> np.ndarray:
    side = round(0.6 * len(image))
    return resize(resize(image, (side, side), anti_aliasing=True), image.shape)


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'JPEG 75': lambda image: _jpeg(image, 75),
    'JPEG 30': lambda image: _jpeg(image, 30),
    '1 pixel': lambda image: shift(image, (1, 1), order=0, mode='nearest'),
    'half a pixel': lambda image: shift(image, (0.5, 0.5), order=1, mode='nearest'),
    're-windowed': lambda image: ((image - 1 / 6) / (11 / 15)).clip(0, 1),
    'gamma 0.6': lambda image: image**0.6,
    'equalised': lambda image: equalize_adapthist(image, clip_limit=0.01),
    'shrunk': _shrunk,
    'noise of 3 %': lambda image: (image + rng.normal(0, 0.03, image.shape)).clip(0, 1),
    'cropped by 2 %': lambda image: resize(
        image[(cut := round(0.02 * len(image))) : -cut, cut:-cut], image.shape
    ),
}

if __name__ == '__main__':
    main()
