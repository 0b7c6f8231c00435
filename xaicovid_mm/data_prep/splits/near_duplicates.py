"""Find near-identical slices: the same image saved again, re-windowed, mirrored or moved.

Slice fingerprints find candidates, which are then compared at full size. Not in the paper.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..store.reader import SliceStore
from .fingerprint import FINE, LENGTH, fingerprint, normal_pictures, without_frame
from .moved_copies import (
    MIN_MOVED_CORRELATION,
    correlation_once_laid_on,
    moved_candidates,
    small_picture,
)
from .texture import correlation, texture

NEIGHBOURS = 10
"""Candidates per slice that are compared at full size."""
MIN_PRINT_CORRELATION = 0.85
"""Correlation of two fingerprints from which on slices are candidates. Measured."""
MIN_CORRELATION = 0.82
"""Correlation at full size from which on slices are near-identical. Measured."""
MIN_SIDE = 96
"""Smaller slices of two patients are too similar to tell from a copy."""
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
        float32 (N, 864), see ``fingerprint``; 0 for a slice without contrast, and 0 for all slices
        of a store that is not ``comparable``.
    """
    prints = np.zeros((len(store), LENGTH), np.float32)
    for row in progress(range(len(store) if comparable(store) else 0)):
        prints[row] = fingerprint(store.display(row))
    return prints


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
    rows, other_rows = (group[slice_prints[group].any(1)] for group in (rows, other_rows))
    if not len(rows) or not len(other_rows):
        return []
    image = lru_cache(64)(lambda row: np.asarray(store.display(row), np.float32))
    textures = lru_cache(64)(lambda row: texture(image(row)))
    near: dict[tuple[int, int], float] = {}
    for row, other in _still_candidates(slice_prints, rows, other_rows):
        score = correlation(textures(row), textures(other))
        if score >= MIN_CORRELATION:
            near[row, other] = score
    unlike: set[int] = set()
    bare = lru_cache(64)(lambda row: without_frame(image(row)))
    small = lru_cache(4096)(lambda row: small_picture(bare(row)))
    pictures = lru_cache(4096)(lambda row: normal_pictures(bare(row)))
    for row, other, pose in moved_candidates(slice_prints, rows, other_rows, pictures):
        if (row, other) in near or row in unlike:
            continue
        score = correlation_once_laid_on(
            pose(bare(row)), bare(other), pose(small(row)), small(other)
        )
        if not score:  # not even the best candidate, which comes first, is alike
            unlike.add(row)
        if score >= MIN_MOVED_CORRELATION:
            near[row, other] = score
    return sorted(((*pair, score) for pair, score in near.items()), key=lambda found: -found[2])


def _still_candidates(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray
) -> Iterable[tuple[int, int]]:
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(other_rows)), algorithm='brute')
    search.fit(slice_prints[other_rows, FINE])
    distances, neighbours = search.kneighbors(slice_prints[rows, FINE])
    correlations = 1 - distances**2 / 2  # holds for unit vectors
    for place, rank in zip(*np.nonzero(correlations >= MIN_PRINT_CORRELATION), strict=True):
        yield int(rows[place]), int(other_rows[neighbours[place, rank]])
