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
    ml = float(np.prod(spacing_mm)) / 1000
    infected = np.flatnonzero(infection.any((1, 2)))
    infected_px, lung_px = _counts(infection, lung_sides(lung))
    parts = {'total': slice(None), 'right': 0, 'left': 1}
    volumes = {
        name: _volumes(int(infected_px[part].sum()), int(lung_px[part].sum()), ml)
        for name, part in parts.items()
    }
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
    right, total = np.zeros((2, int(parts.max()) + 1), int)
    for plane in parts:  # bincount takes eight bytes for each voxel that it is given
        right += np.bincount(plane[:, :middle].ravel(), minlength=len(right))
        total += np.bincount(plane.ravel(), minlength=len(total))
    share = right / np.maximum(total, 1)
    one_sided = np.abs(share - 0.5) > 0.35
    of_right, of_left = (
        np.where(one_sided, np.where(share > 0.5, 1, 2), half).astype(np.int8) for half in (1, 2)
    )
    of_right[0] = of_left[0] = 0
    sides[box][:, :, :middle] = of_right[parts[:, :, :middle]]
    sides[box][:, :, middle:] = of_left[parts[:, :, middle:]]
    return sides


def _counts(infection: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the infected voxels and all voxels of the right and of the left lung: int (2,) each.

    Slice by slice, as each mask of a whole scan would take as much memory as the lungs.
    """
    infected, total = np.zeros(2, int), np.zeros(2, int)
    for mask, plane in zip(infection, sides, strict=True):
        for number in (0, 1):
            lung = plane == number + 1
            total[number] += np.count_nonzero(lung)
            infected[number] += np.count_nonzero(lung & mask)
    return infected, total


def _volumes(infected_px: int, lung_px: int, ml: float) -> dict[str, float | None]:
    return dict(
        infection_ml=round(infected_px * ml, 2),
        lung_ml=round(lung_px * ml, 2),
        percent_of_lung=round(100 * infected_px / lung_px, 2) if lung_px else None,
    )
