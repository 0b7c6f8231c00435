"""Turn arrays upright and back. Upright is foot to head, front to back, right to left.

Left and right are the patient's.
"""

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)

UPRIGHT = ('L', 'P', 'S')
"""Directions of the axes x, y and z of an upright volume (Z, Y, X)."""


def to_upright(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn a file's array (I, J, K) upright: (Z, Y, X)."""
    return apply_orientation(array, turn(affine)).transpose(2, 1, 0)


def from_upright(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn an upright volume (Z, Y, X) back to the axis order of the file with that affine."""
    back = ornt_transform(axcodes2ornt(UPRIGHT), io_orientation(affine))
    return apply_orientation(volume.transpose(2, 1, 0), back)


def upright_spacing(affine: np.ndarray) -> tuple[float, float, float]:
    """Spacing (z, y, x) in mm of the upright volume of a file with that affine."""
    x, y, z = spacing_of(affine)[np.argsort(turn(affine)[:, 0])].tolist()
    return z, y, x


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """Spacing (i, j, k) in mm along the axes of a file's array, from its affine."""
    return np.sqrt((np.asarray(affine)[:3, :3] ** 2).sum(0))


def turn(affine: np.ndarray) -> np.ndarray:
    """The nibabel orientation transform from a file's axes to upright axes (x, y, z)."""
    return ornt_transform(io_orientation(affine), axcodes2ornt(UPRIGHT))
