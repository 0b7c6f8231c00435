"""Lungs without a trained model: they are the air that the body encloses."""

import numpy as np
from scipy.ndimage import binary_fill_holes, label
from skimage.morphology import closing, disk

AIR_HU = -320


def lung_mask(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Threshold, drop air that reaches the edge, keep the two largest parts, close and fill.

    Consolidation at the pleura is denser than the threshold and can be lost.

    Args:
        hu: (Z, Y, X).
        spacing_mm: (z, y, x).

    Returns:
        bool (Z, Y, X); all False where nothing fits.
    """
    air = hu < AIR_HU
    parts, _ = label(air)
    edge = np.unique(np.concatenate([parts[:, [0, -1]].ravel(), parts[:, :, [0, -1]].ravel()]))
    sizes = np.bincount(parts.ravel())
    sizes[edge] = 0
    sizes[0] = 0
    largest = np.argsort(sizes)[-2:]
    kept = np.isin(parts, largest[sizes[largest] > 0.05 * sizes.max()]) & (sizes.max() > 0)
    footprint = disk(max(round(8 / spacing_mm[1]), 1))
    return np.stack([binary_fill_holes(closing(plane, footprint)) for plane in kept])
