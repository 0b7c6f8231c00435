"""Find near-identical slices: the same image saved again, re-windowed or moved by a pixel.

A slice fingerprint is a coarse image of a slice. It finds candidates, which are then compared at
full size. Not in the paper.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.transform import resize_local_mean
from sklearn.neighbors import NearestNeighbors

from ..store.reader import SliceStore

SIDE = 24
"""Height and width of a slice fingerprint in pixels."""
NEIGHBOURS = 10
"""Candidates per slice that are compared at full size."""
MIN_PRINT_CORRELATION = 0.85
"""Correlation of two fingerprints from which on slices are candidates. Measured."""
MIN_CORRELATION = 0.82
"""Correlation at full size from which on slices are near-identical. Measured."""
SHIFT_PX = 2
"""How far one slice may be moved against the other."""
MIN_SIDE = 96
"""Smaller slices of two patients are too similar to tell from a copy."""
MIN_TEXTURE = 0.005
"""Share of the display range; texture weaker than this is not amplified."""
Progress = Callable[[Sequence[int]], Iterable[int]]
"""Wraps rows of the index, for instance to show a progress bar."""


def comparable(store: SliceStore) -> bool:
    """Whether the slices of a store are large enough to tell a copy from another patient."""
    return min(store.size) >= MIN_SIDE


def fingerprints(store: SliceStore, progress: Progress = iter) -> np.ndarray:
    """Compute the slice fingerprints of a store.

    Args:
        store: N slices, read one by one.
        progress: Wraps the rows of the index.

    Returns:
        float32 (N, 576), each a unit vector, see ``fingerprint``; 0 for a slice without contrast,
        and 0 for all slices of a store that is not ``comparable``.
    """
    prints = np.zeros((len(store), SIDE * SIDE), np.float32)
    for row in progress(range(len(store) if comparable(store) else 0)):
        prints[row] = fingerprint(store.display(row))
    return prints


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Compute the fingerprint of a slice (H, W) in [0, 1].

    Brightness and contrast do not change it: it holds means of 24 x 24 fields, minus those of
    their surroundings, scaled to a unit vector (576,).
    """
    small = resize_local_mean(image, (SIDE, SIDE))
    detail = small - gaussian_filter(small, 1.5, mode='nearest')
    detail -= detail.mean()
    return detail.ravel() / max(np.linalg.norm(detail), 1e-6)


def find_near_duplicates(
    store: SliceStore, slice_prints: np.ndarray, *, rows: np.ndarray, other_rows: np.ndarray
) -> list[tuple[int, int, float]]:
    """Find pairs of near-identical slices, one of each of two groups.

    The nearest neighbours of each slice by fingerprint are compared at full size.

    Args:
        store: The store of the slices.
        slice_prints: ``fingerprints`` of the store.
        rows: Rows of the smaller group.
        other_rows: Rows of the larger group.

    Returns:
        Row, other row and their correlation at full size; the most similar first.
    """
    texture = lru_cache(64)(lambda row: _texture(store.display(row)))
    scored = (
        (row, other, _correlation(texture(row), texture(other)))
        for row, other in _candidates(slice_prints, rows, other_rows)
    )
    near = (pair for pair in scored if pair[2] >= MIN_CORRELATION)
    return sorted(near, key=lambda pair: -pair[2])


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate the fine texture of two slices (H, W) in [0, 1], at the best shift."""
    return _correlation(_texture(first), _texture(second))


def _candidates(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray
) -> Iterable[tuple[int, int]]:
    rows, other_rows = (group[slice_prints[group].any(1)] for group in (rows, other_rows))
    if not len(rows) or not len(other_rows):
        return
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(other_rows)), algorithm='brute')
    search.fit(slice_prints[other_rows])
    distances, neighbours = search.kneighbors(slice_prints[rows])
    correlations = 1 - distances**2 / 2  # holds for unit vectors
    for place, rank in zip(*np.nonzero(correlations >= MIN_PRINT_CORRELATION), strict=True):
        yield int(rows[place]), int(other_rows[neighbours[place, rank]])


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    inner = slice(SHIFT_PX, -SHIFT_PX)
    still = first[inner, inner]
    moved = np.lib.stride_tricks.sliding_window_view(second, still.shape)
    norm = np.linalg.norm(still) * np.linalg.norm(second[inner, inner])
    return float(np.einsum('abyx,yx->ab', moved, still).max() / norm) if norm else 0.0


def _texture(image: np.ndarray) -> np.ndarray:
    """Detail of 1 to 2 pixels, of equal strength everywhere, so that edges do not dominate."""
    fine = gaussian_filter(image, 0.7, mode='nearest') - gaussian_filter(image, 2, mode='nearest')
    return fine / (np.sqrt(gaussian_filter(fine**2, 2, mode='nearest')) + MIN_TEXTURE)
