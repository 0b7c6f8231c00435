"""Find the trachea and the main bronchi."""

import cv2
import numpy as np

SEED_MM2 = (50, 700)
"""Area of the trachea in a slice."""
MAX_MM2 = 1000
"""Area where the trachea divides; what is larger is lung."""
MAX_OFF_MM = 35
"""How far from the middle of the air in the body the trachea may lie, to the right or left."""
MIN_FILLED = 0.5
"""Share of its bounding box that the trachea fills; of a circle it is 0.79."""
MAX_ASPECT = 2.5
MIN_OVERLAP = 0.3
"""Share of a part that lies below the airway of the slice above."""
MIN_LENGTH_MM = 20
WALL_HU = (-500, -600, -700, -800, -900)
"""Where the wall between airway and lung is so thin that it counts as air, the first of these that
it lies above tells the two apart."""


def find_airway(
    hu: np.ndarray, air: np.ndarray, spacing_mm: tuple[float, float, float]
) -> np.ndarray:
    """Follow the trachea from the head downwards, as far as it is apart from the lungs.

    In a slice, trachea and main bronchi are small parts of air with a wall all around, which may
    be thinner than a voxel. Not in the paper.

    Args:
        hu: (Z, Y, X), upright.
        air: bool (Z, Y, X), the air inside the body, upright.
        spacing_mm: (z, y, x).

    Returns:
        bool (Z, Y, X); all False if there is no trachea.
    """
    airway = np.zeros(air.shape, bool)
    columns = np.flatnonzero(air.any((0, 1)))
    middle = (columns[0] + columns[-1]) / 2 if len(columns) else 0.0
    px = float(spacing_mm[1] * spacing_mm[2])
    top = None  # where the trachea that is followed begins
    for z in range(len(air) - 1, -1, -1):
        _, parts, stats, centres = cv2.connectedComponentsWithStats(
            air[z].view(np.uint8), connectivity=4
        )
        area = stats[:, cv2.CC_STAT_AREA] * px
        area[0] = np.inf
        if top is None:
            is_seed = _round(stats) & (area >= SEED_MM2[0]) & (area <= SEED_MM2[1])
            is_seed &= np.abs(centres[:, 0] - middle) * spacing_mm[2] <= MAX_OFF_MM
            airway[z] = _chosen(parts, np.flatnonzero(is_seed)[:1], len(area))
        else:
            below = np.bincount(parts[airway[z + 1]], minlength=len(area)) * px
            airway[z] = _chosen(parts, _following(area, below), len(area))
            lungs = np.flatnonzero((area[1:] > MAX_MM2) & (below[1:] > 0)) + 1
            if len(lungs):
                joined = _chosen(parts, lungs, len(area))
                airway[z] |= _lumen(np.where(joined, hu[z], 0), airway[z + 1], px)
        if airway[z].any():
            top = z if top is None else top
        elif top is not None:
            if (top - z) * spacing_mm[0] >= MIN_LENGTH_MM:
                return airway
            airway[z : top + 1] = False  # too short: it was the tip of a lung
            top = None
    return airway


def _chosen(parts: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """The pixels of the parts (Y, X) with these numbers, of ``count``; bool."""
    if not len(numbers):
        return np.zeros(parts.shape, bool)
    chosen = np.zeros(count, bool)
    chosen[numbers] = True
    return chosen[parts]


def _following(area: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Numbers of the parts that continue the airway.

    Args:
        area: Of each part, in mm2; infinite for the background.
        below: What of it lies below the airway of the slice above, in mm2.
    """
    return np.flatnonzero((area <= MAX_MM2) & (below >= MIN_OVERLAP * area))


def _lumen(hu: np.ndarray, above: np.ndarray, px: float) -> np.ndarray:
    """The airway in a slice where it joins a lung, bool (Y, X); all False if no wall is found.

    Args:
        hu: (Y, X), 0 but for the air in question.
        above: bool (Y, X), the airway of the slice above.
        px: Area of a pixel in mm2.
    """
    for level in WALL_HU:
        inside = (hu < level).view(np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
        area = stats[:, cv2.CC_STAT_AREA] * px
        area[0] = np.inf
        kept = _following(area, np.bincount(parts[above], minlength=len(area)) * px)
        kept = kept[area[kept] >= SEED_MM2[0]]
        if len(kept):
            lumen = _chosen(parts, kept, len(area))
            return cv2.dilate(lumen.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool) & (hu < 0)
    return np.zeros(hu.shape, bool)


def _round(stats: np.ndarray) -> np.ndarray:
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    filled = stats[:, cv2.CC_STAT_AREA] / (width * height)
    aspect = np.maximum(width, height) / np.minimum(width, height)
    return (filled >= MIN_FILLED) & (aspect <= MAX_ASPECT)
