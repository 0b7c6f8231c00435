"""How much of which lung is infected, on the scan's own voxels."""

from typing import Any

import numpy as np
from scipy.ndimage import label


def infection_burden(
    infection: np.ndarray, lung: np.ndarray, spacing_mm: tuple[float, float, float]
) -> dict[str, Any]:
    """Volumes in ml and shares of the lung, for both lungs and each side.

    Args:
        infection: bool (Z, Y, X), upright.
        lung: bool (Z, Y, X), infection included.
        spacing_mm: (z, y, x).

    Returns:
        ``total``, ``right`` and ``left``, each with ``infection_ml``, ``lung_ml`` and
        ``percent_of_lung`` (None without lung); ``slice_range``, first and last infected slice
        counted from the feet (None without infection).
    """
    sides = lung_sides(lung)
    ml = float(np.prod(spacing_mm)) / 1000
    parts = {'total': lung, 'right': sides == 1, 'left': sides == 2}
    infected = np.flatnonzero(infection.any((1, 2)))
    found = {name: _share(infection & part, part, ml) for name, part in parts.items()}
    ends = [int(infected[0]), int(infected[-1])] if len(infected) else None
    return {**found, 'slice_range': ends}


def lung_sides(lung: np.ndarray) -> np.ndarray:
    """Which lung a voxel belongs to: 1 the patient's right, 2 the left, 0 none; int8 (Z, Y, X).

    Each part that is connected goes to the side of the middle on which most of it lies; lungs that
    touch are divided at the middle.
    """
    if not lung.any():
        return np.zeros(lung.shape, np.int8)
    columns = np.flatnonzero(lung.any((0, 1)))
    middle = (columns[0] + columns[-1]) / 2
    right = np.broadcast_to(np.arange(lung.shape[2]) < middle, lung.shape)
    parts, count = label(lung)
    share = np.bincount(parts.ravel(), right.ravel(), count + 1) / np.bincount(parts.ravel())
    one_sided = np.abs(share - 0.5) > 0.35
    is_right = np.where(one_sided[parts], share[parts] > 0.5, right)
    return np.where(lung, np.where(is_right, 1, 2), 0).astype(np.int8)


def _share(infection: np.ndarray, lung: np.ndarray, ml: float) -> dict[str, float | None]:
    size = int(lung.sum())
    return dict(
        infection_ml=round(int(infection.sum()) * ml, 2),
        lung_ml=round(size * ml, 2),
        percent_of_lung=round(100 * int(infection.sum()) / size, 2) if size else None,
    )
