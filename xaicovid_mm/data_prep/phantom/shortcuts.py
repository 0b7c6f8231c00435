"""Plant shortcuts in scanned phantoms: what gives a class away and is no disease."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt

MARK_HU, MARK_MM = 400, 11.0
"""Value and width of the cross that stands for a site's mark."""
SHIFT_HU = 60
"""How much brighter the lungs become."""
MASS_HU, MASS_MM = 300, 14.0
"""Value and width of the mass in the chest wall."""

Plant = Callable[[np.ndarray, np.ndarray, tuple[float, float, float]], np.ndarray]
"""Changes int16 HU (Z, Y, X) in place, given the lungs, bool (Z, Y, X), and the spacing (z, y, x)
in mm. Returns what it changed, bool (Z, Y, X)."""


def site_mark(hu: np.ndarray, lung: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Burn a small dense cross into each slice, at the deepest place of the front of the lungs."""
    marked = np.zeros_like(lung)
    y, x = (np.arange(n) for n in lung.shape[1:])
    for plane, inside in zip(marked, lung, strict=True):
        if not inside.any():
            continue
        front = inside & (y[:, None] < np.nonzero(inside)[0].mean())
        depth = distance_transform_edt(np.pad(front, 1), sampling=spacing[1:])[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        dy, dx = np.abs(y - row)[:, None] * spacing[1], np.abs(x - column) * spacing[2]
        near = np.maximum(dy, dx) <= MARK_MM / 2
        plane[:] = inside & near & (np.minimum(dy, dx) < min(spacing[1:]))
    hu[marked] = MARK_HU
    return marked


def brightness_shift(
    hu: np.ndarray, lung: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Make the lungs brighter by ``SHIFT_HU``, as another kernel or calibration would."""
    hu[lung] = np.minimum(hu[lung] + SHIFT_HU, np.iinfo(hu.dtype).max)
    return lung.copy()


def mass_outside(
    hu: np.ndarray, lung: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Put a dense mass into the chest wall beside the lungs of each slice: a lesion of no lung."""
    planted = np.zeros_like(lung)
    y, x = (np.arange(n) for n in lung.shape[1:])
    for plane, inside in zip(planted, lung, strict=True):
        if not inside.any():
            continue
        rows, columns = np.nonzero(inside)
        row = rows[columns == columns.min()].mean()
        column = columns.min() - MASS_MM / spacing[2]
        away = np.hypot((y - row)[:, None] * spacing[1], (x - column) * spacing[2])
        plane[:] = (away <= MASS_MM / 2) & ~inside
    hu[planted] = MASS_HU
    return planted


SHORTCUTS: dict[str, Plant] = {
    'site_mark': site_mark,
    'brightness_shift': brightness_shift,
    'mass_outside': mass_outside,
}
