"""NIfTI in: read, checked at the door, turned upright."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)

from .store import StoreError

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


@dataclass
class Volume:
    """A volume in the one orientation that this package knows.

    Attributes:
        data: (Z, Y, X): foot to head, front to back, the patient's right to left.
        spacing_mm: (z, y, x).
        affine: 4x4 of the file as it was, voxel to mm (RAS).
        original_shape: Of the file as it was.
    """

    data: np.ndarray
    spacing_mm: tuple[float, float, float]
    affine: np.ndarray
    original_shape: tuple[int, ...]


def read_volume(path: str | Path) -> Volume:
    """Read a scan or a mask.

    Raises:
        StoreError: For a file that is missing, truncated or no NIfTI, is not three-dimensional, has
            an affine that is singular, sheared or not finite, a spacing that is not above 0, or
            values that are not finite. The message names the file, the values and the remedy.
    """
    try:
        image = nib.Nifti1Image.from_filename(str(path))
        data = np.asanyarray(image.dataobj)
    except _UNREADABLE as error:
        raise StoreError(f'{path} cannot be read as NIfTI ({error}): export it again') from error
    if data.ndim != 3 or data.dtype.fields:
        raise StoreError(
            f'{path} is {data.ndim}D {data.dtype} {data.shape}, a scan is 3D with '
            'one value a voxel: extract one volume'
        )
    _check_affine(path, image)
    if not np.isfinite(data).all():
        count = int((~np.isfinite(data)).sum())
        raise StoreError(
            f'{path}: {count} of {data.size} voxels are NaN or infinite: export it again'
        )
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(('L', 'P', 'S')))
    x, y, z = _spacing(image.affine)[np.argsort(turn[:, 0])].tolist()
    return Volume(
        apply_orientation(data, turn).transpose(2, 1, 0),
        (z, y, x),
        image.affine,
        data.shape,
    )


def check_hounsfield(path: str | Path, data: np.ndarray) -> None:
    """Refuse what cannot be Hounsfield units: half of a well-known public set is 8-bit windowed.

    Raises:
        StoreError: With the statistics that give it away.
    """
    low, high = float(data.min()), float(data.max())
    if low >= 0 and high <= 255:
        raise StoreError(
            f'{path}: values from {low:.0f} to {high:.0f} are a display window, air alone would be '
            '-1000 HU: prepare it with --intensity display, apart from scans in HU'
        )
    if low > -500 or high < 0:
        raise StoreError(
            f'{path}: values from {low:.0f} to {high:.0f} are no chest in HU (air -1000, '
            'bone above 300): check slope and intercept'
        )


def check_same_grid(scan_path: str, scan: Volume, mask_path: str, mask: Volume) -> None:
    """Refuse a mask that lies on another grid than its scan.

    Raises:
        StoreError: Naming both files and what differs.
    """
    if scan.original_shape != mask.original_shape:
        raise StoreError(
            f'{mask_path} is {mask.original_shape}, {scan_path} is {scan.original_shape}: give a '
            'mask on the grid of the scan'
        )
    gap = float(np.abs(scan.affine - mask.affine).max())
    if gap > 1e-2:
        raise StoreError(
            f'{mask_path} and {scan_path} have affines that differ by up to {gap:.3f} mm: resample '
            'the mask to the grid of the scan'
        )


def _spacing(affine: np.ndarray) -> np.ndarray:
    return np.sqrt((affine[:3, :3] ** 2).sum(0))


def _check_affine(path: str | Path, image: nib.Nifti1Image) -> None:
    affine = image.affine
    if image.header['qform_code'] == 0 and image.header['sform_code'] == 0:
        raise StoreError(
            f'{path}: qform_code and sform_code are both 0, so nothing says which side is left: '
            'export it again with its affine'
        )
    if not np.isfinite(affine).all():
        raise StoreError(f'{path}: its affine holds NaN or infinity: {affine.tolist()}: repair it')
    spacing = _spacing(affine)
    if (spacing <= 1e-3).any():
        raise StoreError(
            f'{path}: its spacing is {spacing.tolist()} mm, every value must be above 0'
        )
    cosines = affine[:3, :3] / spacing
    skew = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if skew > 1e-3:
        raise StoreError(
            f'{path}: its axes are not at right angles (cosine {skew:.3f}: shear or gantry tilt): '
            'resample it to a straight grid'
        )
