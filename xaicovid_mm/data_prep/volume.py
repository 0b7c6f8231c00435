"""``Volume``: an upright 3D array with its geometry, whatever file it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nibabel.orientations import inv_ornt_aff

from ..utils.errors import ScanError
from .orientation import straight, to_upright, turn, upright_spacing

MAX_GAP_MM = 1e-2
"""Largest difference between two affines of the same grid."""


@dataclass
class Volume:
    """A scan or a mask, turned upright.

    Attributes:
        data: (Z, Y, X): foot to head, front to back, the patient's right to left.
        spacing_mm: (z, y, x).
        affine: 4x4 of the file, from its voxel indices to mm (RAS), its axes at right angles. Of a
            DICOM series: from column, row and slice, where slices are counted along the normal.
        original_shape: Shape of the file's array without trailing axes of length 1; of a DICOM
            series (columns, rows, slices).
        ignored: Number of files that were not read, by reason.
    """

    data: np.ndarray
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    original_shape: tuple[int, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)


def upright(
    data: np.ndarray, affine: np.ndarray, ignored: Mapping[str, int] | None = None
) -> Volume:
    """Turn an array (I, J, K) with its affine (RAS) into a ``Volume``. Values do not change."""
    affine = straight(affine, data.shape)
    return Volume(
        data=to_upright(data, affine),
        spacing_mm=upright_spacing(affine),
        affine=affine,
        original_shape=data.shape,
        ignored=ignored or {},
    )


def check_same_grid(
    scan_path: str | Path, scan: Volume, mask_path: str | Path, mask: Volume
) -> None:
    """Refuse a mask whose voxels do not lie where the scan's voxels lie, both turned upright.

    The files may order their axes differently, for instance a DICOM scan and a NIfTI mask.

    Raises:
        ScanError: If the shapes or the affines differ. Both files and the difference are named.
    """
    if scan.data.shape != mask.data.shape:
        raise ScanError(
            f'{mask_path} is {mask.original_shape}, {scan_path} is {scan.original_shape}',
            'give a mask on the grid of the scan',
        )
    gap = float(np.abs(_upright_affine(scan) - _upright_affine(mask)).max())
    if gap > MAX_GAP_MM:
        raise ScanError(
            f'{mask_path} and {scan_path} have affines that differ by up to {gap:.3f} mm',
            'resample the mask to the grid of the scan',
        )


def _upright_affine(volume: Volume) -> np.ndarray:
    return volume.affine @ inv_ornt_aff(turn(volume.affine), volume.original_shape)
