"""Infected volume and share of the lungs, for both lungs and each side. Not in the paper."""

from typing import Any

import numpy as np
from scipy.ndimage import label


def infection_burden(
    infection: np.ndarray, lung: np.ndarray, spacing_mm: tuple[float, float, float]
) -> dict[str, Any]:
    """Measure the infection on the voxels of the scan.

    Args:
        infection: bool (Z, Y, X), upright.
        lung: bool (Z, Y, X), upright, including the infection.
        spacing_mm: (z, y, x).

    Returns:
        ``total``, ``right`` and ``left``, each with ``infection_ml`` and ``lung_ml`` in ml and
        ``percent_of_lung`` in [0, 100] (None without lung). Also ``slice_range``: the first and
        last infected slice, counted from the feet (None without infection).
    """
    sides = lung_sides(lung)
    ml = float(np.prod(spacing_mm)) / 1000
    parts = {'total': lung, 'right': sides == 1, 'left': sides == 2}
    infected = np.flatnonzero(infection.any((1, 2)))
    volumes = {name: _volumes(infection & part, part, ml) for name, part in parts.items()}
    ends = [int(infected[0]), int(infected[-1])] if len(infected) else None
    return {**volumes, 'slice_range': ends}


def lung_sides(lung: np.ndarray) -> np.ndarray:
    """Label the voxels of a lung mask by side: 1 the patient's right, 2 the left, 0 outside.

    A connected part belongs to the side of the middle on which most of it lies. If the lungs
    touch, so that a part lies on both sides, it is divided at the middle.

    Args:
        lung: bool (Z, Y, X), upright.

    Returns:
        int8 (Z, Y, X).
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


def _volumes(infection: np.ndarray, lung: np.ndarray, ml: float) -> dict[str, float | None]:
    size = int(lung.sum())
    return dict(
        infection_ml=round(int(infection.sum()) * ml, 2),
        lung_ml=round(size * ml, 2),
        percent_of_lung=round(100 * int(infection.sum()) / size, 2) if size else None,
    )
