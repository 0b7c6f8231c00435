"""Near-identical slices: the same picture re-saved, re-windowed or moved by a pixel."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.transform import resize_local_mean
from sklearn.neighbors import NearestNeighbors

from ..store.reader import SliceStore

SIDE = 24  # of a fingerprint
NEIGHBOURS = 10  # candidates a slice, which are then compared at full size
COARSE, FINE = 0.85, 0.82  # correlations; measured, see docs/data.md
SHIFT_PX = 2
MIN_SIDE = 96  # smaller slices of two patients are too alike to tell from a copy
FLAT = 0.005  # of the display range: weaker texture is left weak
Progress = Callable[[Sequence[int]], Iterable[int]]


def comparable(store: SliceStore) -> bool:
    """Whether the slices are large enough to tell a copy from another patient."""
    return min(store.size) >= MIN_SIDE


def fingerprints(store: SliceStore, progress: Progress = iter) -> np.ndarray:
    """Coarse picture of every slice, blind to brightness and contrast.

    Args:
        store: Of N slices, read one by one.
        progress: Wraps the rows, to show a bar.

    Returns:
        Unit vectors float32 (N, 576): 24 x 24 means, less their surroundings; 0 for a slice
        without contrast, and for all of a store that is not ``comparable``.
    """
    prints = np.zeros((len(store), SIDE * SIDE), np.float32)
    for row in progress(range(len(store) if comparable(store) else 0)):
        prints[row] = fingerprint(store.display(row))
    return prints


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Coarse picture of one slice (H, W) in [0, 1], see ``fingerprints``."""
    small = resize_local_mean(image, (SIDE, SIDE))
    detail = small - gaussian_filter(small, 1.5, mode='nearest')
    detail -= detail.mean()
    return detail.ravel() / max(np.linalg.norm(detail), 1e-6)


def lookalikes(
    store: SliceStore, prints: np.ndarray, these: np.ndarray, those: np.ndarray
) -> list[tuple[int, int, float]]:
    """Pairs of near-identical slices, one of each group.

    The nearest neighbours of each slice by fingerprint are compared at full size. The measure is
    not in the paper.

    Args:
        store: Where the slices are.
        prints: Of all its slices.
        these: Rows of the smaller group.
        those: Rows of the other.

    Returns:
        Row of these, row of those, correlation at full size; the nearest first.
    """
    texture = lru_cache(64)(lambda row: _texture(store.display(row)))
    scored = (
        (row, other, _correlation(texture(row), texture(other)))
        for row, other in _candidates(prints, these, those)
    )
    return sorted((pair for pair in scored if pair[2] >= FINE), key=lambda pair: -pair[2])


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of the fine texture of two slices (H, W) in [0, 1], at the best shift."""
    return _correlation(_texture(first), _texture(second))


def _candidates(
    prints: np.ndarray, these: np.ndarray, those: np.ndarray
) -> Iterable[tuple[int, int]]:
    these, those = (rows[prints[rows].any(1)] for rows in (these, those))
    if not len(these) or not len(those):
        return
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(those)), algorithm='brute')
    far, near = search.fit(prints[those]).kneighbors(prints[these])
    alike = 1 - far**2 / 2 >= COARSE  # unit vectors: distance to correlation
    for place, rank in zip(*np.nonzero(alike), strict=True):
        yield int(these[place]), int(those[near[place, rank]])


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    inner = slice(SHIFT_PX, -SHIFT_PX)
    still = first[inner, inner]
    moved = np.lib.stride_tricks.sliding_window_view(second, still.shape)
    norm = np.linalg.norm(still) * np.linalg.norm(second[inner, inner])
    return float(np.einsum('abyx,yx->ab', moved, still).max() / norm) if norm else 0.0


def _texture(image: np.ndarray) -> np.ndarray:
    """Detail of 1 to 2 pixels at equal strength everywhere, so that edges do not outshout it."""
    fine = gaussian_filter(image, 0.7, mode='nearest') - gaussian_filter(image, 2, mode='nearest')
    return fine / (np.sqrt(gaussian_filter(fine**2, 2, mode='nearest')) + FLAT)
