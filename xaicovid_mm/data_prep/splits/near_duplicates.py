"""Find near-identical slices: the same image saved again, re-windowed, mirrored or moved.

A slice fingerprint is a coarse image of a slice. It finds candidates, which are then compared at
full size; one that may be turned, zoomed or cropped is laid on the other first. Not in the paper.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import NearestNeighbors

from ..store.reader import SliceStore

SIDE = 24
"""Height and width of the fine part of a slice fingerprint in pixels."""
COARSE_SIDE = 12
"""Those of its coarse parts, which a small move changes little."""
NORMAL_SIDE, RADIUS = 48, 0.27
"""Size of a slice in its normal position, and share of it by which its brightness is spread."""
CROP = 0.05
"""Share of the side that the second coarse part leaves out at each end."""
FINE, WHOLE, CROPPED = np.s_[:576], np.s_[576:720], np.s_[720:864]
"""Columns of the parts of a fingerprint."""
LENGTH = 864
FLIPS = ((), (-1,), (-2,))
"""Axes by which a copy may be mirrored."""
NEIGHBOURS = 10
"""Candidates per slice that are compared at full size."""
MIN_PRINT_CORRELATION = 0.85
"""Correlation of two fingerprints from which on slices are candidates. Measured."""
COARSE_NEIGHBOURS, MIN_COARSE_CORRELATION = 5, 0.7
"""The same for each coarse part. Measured."""
MOVED_NEIGHBOURS = 8
"""Candidates per slice, of all coarse parts and mirrorings, on which it is laid. Measured."""
LOW_SIDE, MIN_LOW_CORRELATION = 64, 0.98
"""Size at which one slice is laid on the other, and correlation from which on it is worth while."""
MIN_MOVED_CORRELATION = 0.87
"""Correlation at full size from which on slices laid on each other are near-identical. Measured."""
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
        float32 (N, 864), see ``fingerprint``; 0 for a slice without contrast, and 0 for all slices
        of a store that is not ``comparable``.
    """
    prints = np.zeros((len(store), LENGTH), np.float32)
    for row in progress(range(len(store) if comparable(store) else 0)):
        prints[row] = fingerprint(store.display(row))
    return prints


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Compute the fingerprint (864,) of a slice (H, W) in [0, 1].

    Brightness and contrast do not change it: it holds means of 24 x 24 fields, minus those of
    their surroundings, scaled to a unit vector; and the same of 12 x 12 fields of the slice and of
    the slice without its margins, each in a normal position and size.
    """
    image = np.asarray(image, np.float32)
    margins = tuple(slice(round(CROP * side), side - round(CROP * side)) for side in image.shape)
    whole, cropped = _normal(image), _normal(np.ascontiguousarray(image[margins]))
    parts = ((image, SIDE, 1.5), (whole, COARSE_SIDE, 2), (cropped, COARSE_SIDE, 2))
    return np.concatenate([_fields(*part) for part in parts])


def _normal(image: np.ndarray) -> np.ndarray:
    """The slice with its centre of brightness in the middle, and its brightness spread alike."""
    small = cv2.resize(image, (LOW_SIDE, LOW_SIDE), interpolation=cv2.INTER_AREA)
    moments = cv2.moments(small)
    if moments['m00'] <= 0:
        return small
    centre = np.array([moments['m10'], moments['m01']]) / moments['m00']
    radius = ((moments['mu20'] + moments['mu02']) / moments['m00'] / 2) ** 0.5
    zoom, middle = radius / (RADIUS * NORMAL_SIDE), (NORMAL_SIDE - 1) / 2
    warp = np.column_stack([zoom * np.eye(2), centre - zoom * middle]).astype(np.float32)
    size, how = (NORMAL_SIDE, NORMAL_SIDE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)


def _fields(image: np.ndarray, side: int, surroundings: float) -> np.ndarray:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    detail = small - gaussian_filter(small, surroundings, mode='nearest')
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
    rows, other_rows = (group[slice_prints[group].any(1)] for group in (rows, other_rows))
    if not len(rows) or not len(other_rows):
        return []
    image = lru_cache(64)(lambda row: np.asarray(store.display(row), np.float32))
    texture = lru_cache(64)(lambda row: _texture(image(row)))
    low = lru_cache(4096)(lambda row: _low(image(row)))
    found: dict[tuple[int, int], float] = {}
    for row, other in _still_candidates(slice_prints, rows, other_rows):
        found[row, other] = _correlation(texture(row), texture(other))
    near = {pair: score for pair, score in found.items() if score >= MIN_CORRELATION}
    for row, other, axes in sorted(_moved_candidates(slice_prints, rows, other_rows)):
        if (row, other) in near:
            continue
        if (warp := _warp(low(row), np.flip(low(other), axes))) is not None:
            score = _moved_similarity(image(row), np.flip(image(other), axes), warp)
            if score >= MIN_MOVED_CORRELATION:
                near[row, other] = score
    return sorted(((*pair, score) for pair, score in near.items()), key=lambda found: -found[2])


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Correlate the fine texture of two slices (H, W) in [0, 1], at the best shift."""
    return _correlation(_texture(first), _texture(second))


def moved_similarity(first: np.ndarray, second: np.ndarray) -> float:
    """The same after the second slice is mirrored and laid on the first, if that is possible."""
    first, second = np.float32(first), np.float32(second)
    scores = [0.0]
    for flipped in (np.flip(second, axes) for axes in FLIPS):
        if (warp := _warp(_low(first), _low(flipped))) is not None:
            scores.append(_moved_similarity(first, flipped, warp))
    return max(scores)


def _still_candidates(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray
) -> Iterable[tuple[int, int]]:
    prints, others = slice_prints[rows, FINE], slice_prints[other_rows, FINE]
    limits = NEIGHBOURS, MIN_PRINT_CORRELATION
    for row, other, _ in _nearest(prints, others, rows, other_rows, *limits):
        yield row, other


def _moved_candidates(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray
) -> Iterable[tuple[int, int, tuple[int, ...]]]:
    """Row, other row, and the axes by which the other one is to be mirrored."""
    found: dict[tuple[int, int, tuple[int, ...]], float] = {}
    for part, other_part in ((WHOLE, WHOLE), (CROPPED, WHOLE), (WHOLE, CROPPED)):
        prints = slice_prints[rows, part].reshape(-1, COARSE_SIDE, COARSE_SIDE)
        others = slice_prints[other_rows, other_part]
        for axes in FLIPS:
            flipped = np.flip(prints, axes).reshape(len(rows), -1)
            limits = COARSE_NEIGHBOURS, MIN_COARSE_CORRELATION
            for row, other, score in _nearest(flipped, others, rows, other_rows, *limits):
                found[row, other, axes] = max(score, found.get((row, other, axes), 0.0))
    taken: Counter[int] = Counter()
    for candidate in sorted(found, key=lambda key: -found[key]):
        taken[candidate[0]] += 1
        if taken[candidate[0]] <= MOVED_NEIGHBOURS:
            yield candidate


def _nearest(
    prints: np.ndarray,
    other_prints: np.ndarray,
    rows: np.ndarray,
    other_rows: np.ndarray,
    count: int,
    least: float,
) -> Iterable[tuple[int, int, float]]:
    """Each row, the ``count`` others whose prints correlate most, and how: ``least`` or more."""
    search = NearestNeighbors(n_neighbors=min(count, len(other_rows)), algorithm='brute')
    search.fit(other_prints)
    distances, neighbours = search.kneighbors(prints)
    correlations = 1 - distances**2 / 2  # holds for unit vectors
    for place, rank in zip(*np.nonzero(correlations >= least), strict=True):
        other = int(other_rows[neighbours[place, rank]])
        yield int(rows[place]), other, float(correlations[place, rank])


def _low(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image, (LOW_SIDE, LOW_SIDE), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 1)


def _warp(first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """The affine 2x3 that lays a small slice on another, if they then are alike."""
    correlation, warp = _laid_on(first, second, np.eye(2, 3, dtype=np.float32), 30)
    return warp if correlation >= MIN_LOW_CORRELATION else None


def _moved_similarity(first: np.ndarray, second: np.ndarray, warp: np.ndarray) -> float:
    """Correlate textures after the second slice is laid on the first, from a first ``warp`` on."""
    start = warp.copy()
    start[:, 2] *= np.array(first.shape[::-1]) / LOW_SIDE
    blurred, other = (cv2.GaussianBlur(image, (0, 0), 1.5) for image in (first, second))
    _, warp = _laid_on(blurred, other, start, 15)
    size, how = first.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, warp, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return _correlation(_texture(first), _texture(moved))


def _laid_on(
    first: np.ndarray, second: np.ndarray, start: np.ndarray, steps: int
) -> tuple[float, np.ndarray]:
    """Correlation and warp of the enhanced correlation coefficient (Evangelidis et al., 2008)."""
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-4)
    first, second = np.ascontiguousarray(first), np.ascontiguousarray(second)
    try:
        return cv2.findTransformECC(first, second, start, cv2.MOTION_AFFINE, stop, None, 1)
    except cv2.error:  # it does not converge: they are not alike
        return 0.0, start


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
