"""Lungs without a trained model: they are the air that the body encloses."""

import cv2
import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, label, minimum_filter
from skimage.morphology import disk

from ..body import MAX_AIR_HU, enclosed_air

NECK_MM = 3  # a bridge thinner than twice this joins no two parts
CLOSING_MM = 8
HOLE_MM2 = 2000  # vessels and lesions are smaller; larger is the dome of the diaphragm


def lung_mask(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Threshold, drop air that reaches the edge, keep the two largest parts, close and fill.

    Parts are told apart after peeling off 3 mm: the diaphragm is so thin that gas in stomach or
    bowel otherwise counts as lung. Consolidation at the pleura is denser than the threshold and
    is lost, see ``lung_flags``; the trachea partly stays.

    Args:
        hu: (Z, Y, X).
        spacing_mm: (z, y, x).

    Returns:
        bool (Z, Y, X); all False where nothing fits.
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
    """The two largest connected parts of a mask; the second only if it is a twentieth at least."""
    parts, _ = label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = np.argsort(sizes)[-2:]
    kept = kept[sizes[kept] > 0.05 * sizes.max()]
    return np.isin(parts, kept)


def fill_holes(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Fill what a slice of the mask (Z, Y, X) encloses, up to 20 cm2 a hole."""
    most = HOLE_MM2 / (spacing_mm[1] * spacing_mm[2])
    return np.stack([plane | _small_holes(plane, most) for plane in mask])


def _small_holes(plane: np.ndarray, most: float) -> np.ndarray:
    holes, _ = label(binary_fill_holes(plane) & ~plane)
    small = np.bincount(holes.ravel()) <= most
    small[0] = False
    return small[holes]
