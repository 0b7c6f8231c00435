"""Find lungs without a trained model: they are the air that the body encloses."""

import cv2
import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, label, minimum_filter
from skimage.morphology import disk

from ..body import MAX_AIR_HU, enclosed_air

NECK_MM = 3
"""Parts that are joined by a bridge thinner than twice this count as separate."""
CLOSING_MM = 8
MAX_HOLE_MM2 = 2000
"""Holes up to this are filled: vessels and lesions. The dome of the diaphragm is larger."""
MIN_SECOND_SHARE = 0.05
"""Size of the second lung as a share of the first."""


def lung_mask(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Find the lungs of a scan by threshold. Not in the paper.

    The steps: threshold, remove air that touches a side of the field of view, keep the two largest
    parts, close gaps, fill holes. Parts are separated after peeling off 3 mm, because the diaphragm
    is so thin that gas in stomach or bowel would otherwise count as lung.

    Consolidation at the pleura is denser than the threshold and is lost, see
    ``lung_mask_issues``. A part of the trachea stays.

    Args:
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).

    Returns:
        bool (Z, Y, X); all False if there is no such air.
    """
    air = enclosed_air(hu < MAX_AIR_HU)
    reach = [round(NECK_MM / mm) for mm in spacing_mm]
    core = two_largest(minimum_filter(air, size=[2 * n + 1 for n in reach]))
    if not core.any():
        return core
    kept = binary_dilation(core, iterations=2 * max(reach) + 1, mask=air)
    footprint = disk(max(round(CLOSING_MM / spacing_mm[1]), 1))
    closed = (
        cv2.morphologyEx(plane, cv2.MORPH_CLOSE, footprint) for plane in kept.astype(np.uint8)
    )
    return fill_holes(np.stack(list(closed)) > 0, spacing_mm)


def two_largest(mask: np.ndarray) -> np.ndarray:
    """Keep the two largest connected parts of a mask, the second only if it is large enough."""
    parts, _ = label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = np.argsort(sizes)[-2:]
    kept = kept[sizes[kept] > MIN_SECOND_SHARE * sizes.max()]
    return np.isin(parts, kept)


def fill_holes(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Fill holes of up to ``MAX_HOLE_MM2`` in each slice of a mask, bool (Z, Y, X)."""
    max_px = MAX_HOLE_MM2 / (spacing_mm[1] * spacing_mm[2])
    return np.stack([plane | _small_holes(plane, max_px) for plane in mask])


def _small_holes(plane: np.ndarray, max_px: float) -> np.ndarray:
    holes, _ = label(binary_fill_holes(plane) & ~plane)
    small = np.bincount(holes.ravel()) <= max_px
    small[0] = False
    return small[holes]
