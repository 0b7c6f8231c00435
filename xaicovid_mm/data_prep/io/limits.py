"""Checks of size and geometry that hold for a scan of any format."""

from pathlib import Path

import numpy as np

from ...utils.errors import ScanError
from ..orientation import spacing_of

MAX_BYTES = 2 * 2**30
"""The largest size of a scan in memory, for instance 1024 x 1024 x 1024 voxels of 16 bit."""
MAX_SIDE = 4096
"""The most rows or columns of a slice."""
MIN_SPACING_MM = 0.01
"""The smallest spacing. The finest scanners reach some 0.1 mm."""
PIECE = 1 << 24
"""Bytes that are read at a time."""


def check_affine(path: str | Path, affine: np.ndarray) -> None:
    """Refuse an affine (4x4) that is not that of a straight grid.

    Raises:
        ScanError: If it is not finite, has a spacing below 0.01 mm, or skew axes.
    """
    if not np.isfinite(affine).all():
        raise ScanError(
            f'{path}: its affine holds NaN or infinity: {affine.tolist()}', 'repair its header'
        )
    spacing = spacing_of(affine)
    if (spacing < MIN_SPACING_MM).any():
        raise ScanError(
            f'{path}: its spacing is {spacing.round(6).tolist()} mm, every value must be '
            f'{MIN_SPACING_MM} or more',
            'repair its header; it may be in metres',
        )
    cosines = affine[:3, :3] / spacing
    skew = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if skew > 1e-3:
        raise ScanError(
            f'{path}: its axes are not at right angles (cosine {skew:.3f}: shear or gantry tilt)',
            'resample it to a straight grid',
        )


def check_bytes(path: str | Path, count: int) -> None:
    """Refuse a scan of more than ``MAX_BYTES`` in memory.

    Raises:
        ScanError: Naming both sizes.
    """
    if count > MAX_BYTES:
        raise ScanError(
            f'{path} asks for {count} bytes in memory, {MAX_BYTES} is the most for a scan',
            'check its header, or split it',
        )
