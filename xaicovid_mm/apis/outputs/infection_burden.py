"""Infected volume and share of the lungs, for both lungs and each side. Not in the paper."""

import math
from typing import Any

import cc3d
import numpy as np

from ...data_prep.body import bounding_box


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
    sides = np.zeros(lung.shape, np.int8)
    if not lung.any():
        return sides
    box = bounding_box(lung)
    inside = lung[box]
    parts = cc3d.connected_components(inside, connectivity=6)
    columns = inside.shape[2]
    middle = math.ceil((columns - 1) / 2)  # a column in the middle is left
    right, total = (
        np.bincount(p.ravel(), minlength=parts.max() + 1) for p in (parts[:, :, :middle], parts)
    )
    share = right / np.maximum(total, 1)
    one_sided = np.abs(share - 0.5) > 0.35
    of_right, of_left = (
        np.where(one_sided, np.where(share > 0.5, 1, 2), half).astype(np.int8) for half in (1, 2)
    )
    of_right[0] = of_left[0] = 0
    sides[box][:, :, :middle] = of_right[parts[:, :, :middle]]
    sides[box][:, :, middle:] = of_left[parts[:, :, middle:]]
    return sides


def _volumes(infection: np.ndarray, lung: np.ndarray, ml: float) -> dict[str, float | None]:
    size = int(lung.sum())
    return dict(
        infection_ml=round(int(infection.sum()) * ml, 2),
        lung_ml=round(size * ml, 2),
        percent_of_lung=round(100 * int(infection.sum()) / size, 2) if size else None,
    )
