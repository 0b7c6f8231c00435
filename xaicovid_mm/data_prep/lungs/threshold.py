"""Find lungs without a trained model: they are air inside the body."""

from collections.abc import Iterable

import cc3d
import cv2
import numpy as np

from ..body import MAX_AIR_HU, bounding_box, enclosed_air, inside_body
from .airway import find_airway
from .morphology import closed, grown

NECK_MM = 3
"""Parts that are joined by a bridge thinner than twice this count as separate."""
CLOSING_MM = 8
RECESS_MM = 30
"""How deep a part of a lung may be that is thinner than such a bridge, beside the diaphragm."""
MAX_HOLE_MM2 = 2000
"""Holes up to this are filled: vessels and lesions. The dome of the diaphragm is larger,
but for its tip, which is filled too."""
MIN_SECOND_SHARE = 0.05
"""Size of the second lung as a share of the first."""
MAX_GAS_HU = -960
"""Median of gas in the bowel; lungs are above."""
MAX_PARTS = 6
"""Parts that are looked at, the largest ones."""
MAX_OFF = 0.5
"""How far the middle of the second lung may be above or below that of the first, as a share of
the height of the first."""


def lung_mask(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Find the lungs of a scan by threshold. Not in the paper.

    The steps: find the body, take the air inside, remove trachea and main bronchi, keep the two
    parts that look like lungs, close gaps of each, fill holes. Parts are separated after peeling
    off 3 mm, because the diaphragm is so thin that gas in stomach or bowel would otherwise count
    as lung.

    Consolidation at the pleura is denser than the threshold and is lost, see
    ``lung_mask_issues``.

    Args:
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).

    Returns:
        bool (Z, Y, X); all False if there is no such air.
    """
    air = inside_body(hu, spacing_mm)
    for plane, values in zip(air, hu, strict=True):
        plane &= values < MAX_AIR_HU
    lungs = np.zeros(air.shape, bool)
    if not air.any():
        return lungs
    box = _box_around(air, spacing_mm)
    lungs[box] = _lungs(hu[box], air[box], spacing_mm)
    return lungs


def two_largest(mask: np.ndarray) -> np.ndarray:
    """Keep the two largest connected parts of a mask, the second only if it is large enough."""
    parts = cc3d.connected_components(mask, connectivity=6)
    sizes = cc3d.statistics(parts)['voxel_counts'].astype(np.int64)
    sizes[0] = 0
    kept = np.argsort(sizes)[-2:]
    return _only(parts, kept[sizes[kept] > MIN_SECOND_SHARE * sizes.max()])


def fill_holes(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Fill holes of up to ``MAX_HOLE_MM2`` in each slice of a mask, bool (Z, Y, X)."""
    max_px = MAX_HOLE_MM2 / (spacing_mm[1] * spacing_mm[2])
    filled = enclosed_air(mask)
    for plane, holes in zip(mask, filled, strict=True):
        if np.count_nonzero(holes) > max_px:
            holes &= _small_parts(holes, max_px)
        holes |= plane
    return filled


def _lungs(hu: np.ndarray, air: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The lungs among the air (Z, Y, X), which loses the airway here."""
    airway = find_airway(hu, air, spacing_mm)
    air &= ~airway
    lungs, thin = _lungs_and_thin(hu, air, spacing_mm)
    depth = round(RECESS_MM / min(spacing_mm))
    whole = np.zeros(air.shape, bool)
    for lung in lungs:
        box = _box_around(lung, spacing_mm, depth)
        whole[box] |= _closed(lung[box] | _recess(lung[box], thin[box], depth), spacing_mm)
    whole = fill_holes(whole, spacing_mm)
    whole &= ~airway
    return whole


def _lungs_and_thin(
    hu: np.ndarray, air: np.ndarray, spacing_mm: tuple[float, float, float]
) -> tuple[list[np.ndarray], np.ndarray]:
    """The lungs, each bool (Z, Y, X), and other air that is too thin to have a core of its own."""
    reach = [round(NECK_MM / mm) for mm in spacing_mm]
    cores, steps = _shrunk(air, reach), 2 * max(reach) + 1
    lungs = [grown(core, air, steps) for core in _pair(cores, hu)]
    thin = air & ~_union(lungs, air.shape)
    cores &= thin
    thin &= ~grown(cores, thin, steps)  # gas in the bowel has a core of its own
    return lungs, thin


def _union(masks: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    union = np.zeros(shape, bool)
    for mask in masks:
        union |= mask
    return union


def _closed(lung: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Close the gaps of one lung (Z, Y, X) in each slice: alone, so none between the two lungs."""
    result, box = lung.copy(), _box_around(lung, spacing_mm)
    result[box] = closed(lung[box], max(round(CLOSING_MM / spacing_mm[1]), 1))
    return result


def _pair(mask: np.ndarray, hu: np.ndarray) -> list[np.ndarray]:
    """The parts (Z, Y, X) that can be the two lungs: no gas, and at about the same height."""
    if not mask.any():
        return []
    box = bounding_box(mask)
    parts, hu = cc3d.connected_components(mask[box], connectivity=6), hu[box]
    found = cc3d.statistics(parts)
    sizes = found['voxel_counts'].astype(np.int64)
    sizes[0] = 0
    order = [n for n in np.argsort(-sizes)[:MAX_PARTS] if sizes[n]]
    boxes = found['bounding_boxes']
    airy = [n for n in order if np.median(hu[boxes[n]][parts[boxes[n]] == n]) > MAX_GAS_HU]
    first, *others = airy or order
    height = boxes[first][0].stop - boxes[first][0].start
    kept = [first]
    for other in others:
        off = abs(found['centroids'][other][0] - found['centroids'][first][0])
        if sizes[other] > MIN_SECOND_SHARE * sizes[first] and off <= MAX_OFF * height:
            kept.append(other)
            break
    pair = [np.zeros(mask.shape, bool) for _ in kept]
    for part, number in zip(pair, kept, strict=True):
        part[box] = parts == number
    return pair


def _shrunk(mask: np.ndarray, reach: list[int]) -> np.ndarray:
    """Erode a mask (Z, Y, X) by a box of ``reach`` voxels to each side; beyond it is like it."""
    z, y, x = reach
    box = np.ones((2 * y + 1, 2 * x + 1), np.uint8)
    flat = np.empty_like(mask)
    for plane, small in zip(mask.view(np.uint8), flat.view(np.uint8), strict=True):
        cv2.erode(plane, box, dst=small)
    shrunk = flat.copy()
    for step in range(1, z + 1):
        shrunk[step:] &= flat[:-step]
        shrunk[:-step] &= flat[step:]
    return shrunk


def _recess(lung: np.ndarray, thin: np.ndarray, steps: int) -> np.ndarray:
    """The voxels of ``thin`` (Z, Y, X) that so many steps inside it lead to from a lung.

    Steps go from voxel to voxel of the front alone: ``grown`` would go through the whole scan.
    """
    room = np.pad(thin & ~lung, 1)
    front = np.flatnonzero(np.pad(grown(lung, lung | thin, 1) & ~lung, 1))
    to_next = np.array([side * step // room.itemsize for step in room.strides for side in (-1, 1)])
    found = np.zeros_like(room)
    for _ in range(steps):
        found.flat[front] = True
        room.flat[front] = False
        beside = (front[:, None] + to_next).ravel()
        front = np.unique(beside[room.flat[beside]])
    return found[1:-1, 1:-1, 1:-1]


def _small_parts(mask: np.ndarray, max_px: float) -> np.ndarray:
    """The parts of a mask (Y, X) that have at most so many pixels."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    return (stats[:, cv2.CC_STAT_AREA] <= max_px)[parts]


def _box_around(
    mask: np.ndarray, spacing_mm: tuple[float, float, float], more: int = 0
) -> tuple[slice, ...]:
    """The box around a mask, with room to close gaps and so many voxels more."""
    room = [round(2 * CLOSING_MM / mm) + 1 + more for mm in spacing_mm]
    sides = zip(bounding_box(mask), room, strict=True)
    return tuple(slice(max(side.start - n, 0), side.stop + n) for side, n in sides)


def _only(parts: np.ndarray, numbers: Iterable[int]) -> np.ndarray:
    """The mask of the parts with these numbers."""
    kept = np.zeros(int(parts.max()) + 1, bool)
    kept[list(numbers)] = True
    return kept[parts]
