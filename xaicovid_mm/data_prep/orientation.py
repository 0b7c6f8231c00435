"""Turn arrays upright and back. Upright is foot to head, front to back, right to left.

Left and right are the patient's.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)

MAX_LEAN = 1e-6
"""Cosine between two axes that is rounding."""
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


def straight(affine: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The nearest affine with axes at right angles and the same spacing; the middle stays.

    Readers accept a small lean, see ``check_affine``; other programs, such as those built on ITK,
    do not. An affine without a lean comes back as it is.

    Args:
        affine: 4x4, voxel to mm.
        shape: (I, J, K) of the array.
    """
    affine = np.asarray(affine, float)
    spacing = spacing_of(affine)
    cosines = affine[:3, :3] / spacing
    if np.abs(cosines.T @ cosines - np.eye(3)).max() < MAX_LEAN:
        return affine
    left, _, right = np.linalg.svd(cosines)  # their product is the nearest rotation
    result, middle = affine.copy(), (np.asarray(shape[:3]) - 1) / 2
    result[:3, :3] = left @ right * spacing
    result[:3, 3] += (affine - result)[:3, :3] @ middle
    return result


def turn(affine: np.ndarray) -> np.ndarray:
    """The nibabel orientation transform from a file's axes to upright axes (x, y, z)."""
    return _turn(np.asarray(affine, float).tobytes()).copy()


@lru_cache
def _turn(affine: bytes) -> np.ndarray:
    """Kept by affine: a scan, its masks and its slices all ask for the same."""
    matrix = np.frombuffer(affine).reshape(4, 4)
    return ornt_transform(io_orientation(matrix), axcodes2ornt(UPRIGHT))
