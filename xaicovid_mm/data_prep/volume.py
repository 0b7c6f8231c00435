"""A scan in the one orientation of this package, whatever file it came from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import inv_ornt_aff

from ..utils.errors import ScanError
from .orientation import to_upright, turn, upright_spacing


@dataclass
class Volume:
    """A volume in the one orientation that this package knows.

    Attributes:
        data: (Z, Y, X): foot to head, front to back, the patient's right to left.
        spacing_mm: (z, y, x).
        affine: 4x4 of the file as it was, voxel to mm (RAS). Of DICOM, where a scan is many files:
            from column, row and slice along the normal.
        original_shape: Of the file as it was, without further axes of length 1; of DICOM
            (columns, rows, slices).
    """

    data: np.ndarray
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    original_shape: tuple[int, ...]


def upright(data: np.ndarray, affine: np.ndarray) -> Volume:
    """Turn an array (I, J, K) with its affine (RAS) into a ``Volume``; values stay."""
    return Volume(to_upright(data, affine), upright_spacing(affine), affine, data.shape)


def check_same_grid(
    scan_path: str | Path, scan: Volume, mask_path: str | Path, mask: Volume
) -> None:
    """Refuse a mask whose voxels lie elsewhere than its scan's, both turned upright.

    The order of axes in the files may differ, as it does between a DICOM scan and a NIfTI mask.

    Raises:
        ScanError: Naming both files and what differs.
    """
    if scan.data.shape != mask.data.shape:
        raise ScanError(
            f'{mask_path} is {mask.original_shape}, {scan_path} is {scan.original_shape}',
            'give a mask on the grid of the scan',
        )
    gap = float(np.abs(_upright_affine(scan) - _upright_affine(mask)).max())
    if gap > 1e-2:
        raise ScanError(
            f'{mask_path} and {scan_path} have affines that differ by up to {gap:.3f} mm',
            'resample the mask to the grid of the scan',
        )


def _upright_affine(volume: Volume) -> np.ndarray:
    return volume.affine @ inv_ornt_aff(turn(volume.affine), volume.original_shape)
