"""Find copies of slices that were mirrored, moved, turned, zoomed, cropped or framed.

The nearest slices by fingerprint are laid on the slice in three steps, each for fewer candidates:
by the tangents of the fingerprint, by one warp of a small picture, and by an affine registration
with a look at the fine texture. Not in the paper.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.neighbors import NearestNeighbors

from .fingerprint import (
    COARSE_SIDE,
    CROPPED,
    NORMAL_SIDE,
    SIDE,
    SMALL_SIDE,
    WHOLE,
    fields,
    warped,
)
from .texture import correlation, texture


class Pose(NamedTuple):
    """How a copy may lie: mirrored left and right, and then turned by so many quarters."""

    mirrored: bool
    quarters: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Lay images (..., H, W), H = W, so."""
        images = np.flip(images, -1) if self.mirrored else images
        return np.ascontiguousarray(np.rot90(images, self.quarters, (-2, -1)))


POSES = tuple(Pose(mirrored, quarters) for mirrored in (False, True) for quarters in range(4))
COMMON = (Pose(False, 0), Pose(True, 0), Pose(True, 2))
"""As it is, mirrored, and upside down, where left remains left."""


class Search(NamedTuple):
    """One way to look for the neighbours of a slice.

    Attributes:
        part: Which part of the slice's fingerprint is compared.
        other_part: With which part of the neighbour's.
        pose: How the slice is laid before.
        neighbours: How many neighbours are compared by tangents. The numbers were measured.
    """

    part: slice
    other_part: slice
    pose: Pose
    neighbours: int


SEARCHES = (
    *(
        Search(*parts, pose, 40)
        for parts in ((WHOLE, WHOLE), (CROPPED, WHOLE), (WHOLE, CROPPED))
        for pose in COMMON
    ),
    *(Search(WHOLE, WHOLE, pose, 4) for pose in POSES if pose not in COMMON),
)
WARPED, MIN_TANGENT_CORRELATION = 8, 0.8
"""Candidates per slice whose small picture is warped, and their correlation. Measured."""
REGISTERED, MIN_WARPED_CORRELATION = 2, 0.8
"""Candidates per slice that are registered, and the correlation of their pictures. Measured."""
MIN_SMALL_CORRELATION = 0.98
"""Correlation at 64 x 64 pixels from which on a registration at full size is worth while."""
MIN_MOVED_CORRELATION = 0.87
"""Correlation at full size from which on slices laid on each other are near-identical. Measured."""
TINY = 1e-5 * np.eye(7, dtype=np.float32)
"""Keeps the tangents of a slice without detail solvable."""
BLOCK = 1024
"""Slices that are searched for at a time: bounds the memory."""
Pictures = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""``normal_pictures`` of a row of the index."""


def moved_candidates(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray, pictures: Pictures
) -> Iterator[tuple[int, int, Pose]]:
    """Find the two best candidates of each slice.

    Args:
        slice_prints: Fingerprints of all N slices, float32 (N, 864).
        rows: Rows of the one group.
        other_rows: Rows of the other group.
        pictures: ``normal_pictures`` by row.

    Yields:
        Row, other row, and the pose in which the first is like the other; the best of a row first.
    """
    still = lru_cache(64)(lambda row, cropped: fields(pictures(row)[cropped], SIDE, 3))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        found: dict[tuple[int, int, Pose], float] = {}
        for row, other, search, warp in _tangent_candidates(slice_prints, block, other_rows):
            picture = pictures(other)[search.other_part == CROPPED]
            laid = fields(warped(picture, warp, (NORMAL_SIDE, NORMAL_SIDE)), SIDE, 3)
            mine = search.pose(still(row, search.part == CROPPED).reshape(SIDE, SIDE)).ravel()
            key = row, other, search.pose
            found[key] = max(found.get(key, 0.0), float(mine @ laid))
        taken: Counter[int] = Counter()
        for near in sorted(found, key=lambda near: -found[near]):
            taken[near[0]] += 1
            if taken[near[0]] <= REGISTERED and found[near] >= MIN_WARPED_CORRELATION:
                yield near


def _tangent_candidates(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray
) -> Iterator[tuple[int, int, Search, np.ndarray]]:
    """Row, other row, search, and the warp (2, 3) of the other's picture: the best by tangents."""
    found = [_search(slice_prints, rows, other_rows, search) for search in SEARCHES]
    neighbours, scores = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    by_search = np.repeat(np.arange(len(SEARCHES)), [len(near.T) for near, _ in found])
    top = np.argsort(-scores, axis=1)[:, :WARPED]
    near = np.take_along_axis(scores, top, axis=1) >= MIN_TANGENT_CORRELATION
    places, columns = np.nonzero(near)[0], top[near]
    searches, others = by_search[columns], neighbours[places, columns]
    warps = _warps(slice_prints, rows[places], others, searches)
    for row, other, search, warp in zip(rows[places], others, searches, warps, strict=True):
        yield int(row), int(other), SEARCHES[search], warp


def _search(
    slice_prints: np.ndarray, rows: np.ndarray, other_rows: np.ndarray, search: Search
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours (rows, n) by one search, and how they correlate once they are moved a little."""
    prints = _posed(slice_prints[rows, search.part], search.pose)
    others = slice_prints[other_rows, search.other_part]
    nearest = NearestNeighbors(n_neighbors=min(search.neighbours, len(others)), algorithm='brute')
    places = nearest.fit(others).kneighbors(prints, return_distance=False)
    tangents = _tangents(prints)
    projected = others[places] @ tangents  # rows, neighbours, 7
    spread = np.linalg.cholesky(np.swapaxes(tangents, 1, 2) @ tangents + TINY)
    whitened = projected @ np.swapaxes(np.linalg.inv(spread), 1, 2)
    return other_rows[places], np.linalg.norm(whitened, axis=2)


def _posed(prints: np.ndarray, pose: Pose) -> np.ndarray:
    return pose(prints.reshape(len(prints), COARSE_SIDE, COARSE_SIDE)).reshape(prints.shape)


def _tangents(prints: np.ndarray) -> np.ndarray:
    """Coarse parts (N, 144) and how small moves change them (N, 144, 7).

    The changes by an affine map, to first order: those by a move along x and y, then x and y times
    these. Simard et al., "Tangent distance", 1998.
    """
    images = prints.reshape(len(prints), COARSE_SIDE, COARSE_SIDE)
    x = np.arange(COARSE_SIDE, dtype=np.float32) - (COARSE_SIDE - 1) / 2
    y = x[:, None]
    by_y, by_x = np.gradient(images, axis=(1, 2))
    moves = np.stack([images, by_x, by_y, x * by_x, y * by_x, x * by_y, y * by_y], axis=-1)
    moves = moves.reshape(len(images), COARSE_SIDE**2, 7)
    return moves - moves.mean(axis=1, keepdims=True)


def _warps(
    slice_prints: np.ndarray, rows: np.ndarray, others: np.ndarray, searches: np.ndarray
) -> np.ndarray:
    """The affines (N, 2, 3) that lay others' normal pictures on the posed ones of the rows."""
    prints = np.empty((2, len(rows), COARSE_SIDE**2), np.float32)
    for number, (part, other_part, pose, _) in enumerate(SEARCHES):
        here = searches == number
        prints[0, here] = _posed(slice_prints[rows[here], part], pose)
        prints[1, here] = slice_prints[others[here], other_part]
    tangents = _tangents(prints[0])
    across = np.swapaxes(tangents, 1, 2)
    moves = np.linalg.solve(across @ tangents + TINY, across @ prints[1, ..., None])[..., 0]
    moves = moves[:, 1:] / np.maximum(moves[:, :1], 0.3)
    linear = np.eye(2) - moves[:, 2:].reshape(-1, 2, 2)
    middle = np.full(2, (NORMAL_SIDE - 1) / 2)
    offset = middle - linear @ middle - moves[:, :2] * (NORMAL_SIDE / COARSE_SIDE)
    return np.concatenate([linear, offset[..., None]], axis=2).astype(np.float32)


def small_picture(image: np.ndarray) -> np.ndarray:
    """The float32 slice (H, W) at 64 x 64 pixels, as ``correlation_once_laid_on`` needs it."""
    small = cv2.resize(image, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 1)


def correlation_once_laid_on(
    first: np.ndarray, second: np.ndarray, first_small: np.ndarray, second_small: np.ndarray
) -> float:
    """Correlate the fine textures of two slices once the second is laid on the first.

    Args:
        first: float32 (H, W) in [0, 1].
        second: Likewise.
        first_small: Its ``small_picture``.
        second_small: Likewise.

    Returns:
        The correlation, 0 if small pictures that are laid on each other are not alike.
    """
    start = np.eye(2, 3, dtype=np.float32)
    alike, warp = _laid_on(first_small, second_small, start, 30)
    if alike < MIN_SMALL_CORRELATION:
        return 0.0
    warp = warp.copy()
    warp[:, 2] *= np.array(first.shape[::-1]) / SMALL_SIDE
    blurred, other = (cv2.GaussianBlur(image, (0, 0), 1.5) for image in (first, second))
    _, warp = _laid_on(blurred, other, warp, 15)
    return correlation(texture(first), texture(warped(second, warp, first.shape[::-1])))


def _laid_on(
    first: np.ndarray, second: np.ndarray, start: np.ndarray, steps: int
) -> tuple[float, np.ndarray]:
    """Correlation and warp of the enhanced correlation coefficient (Evangelidis et al., 2008)."""
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, steps, 1e-4)
    try:
        return cv2.findTransformECC(first, second, start, cv2.MOTION_AFFINE, stop, None, 1)
    except cv2.error:  # it does not converge: they are not alike
        return 0.0, start
