"""What a NIfTI header must say before a voxel of its file is believed."""

import logging
from pathlib import Path

import nibabel as nib
import numpy as np

from .store import StoreError
from .volume import check_affine, check_bytes, spacing_of

_UNREADABLE = (
    ValueError,
    OverflowError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


def checked_header(path: str | Path, raw: bytes) -> tuple[nib.Nifti1Header, np.ndarray]:
    """The header and affine (RAS) of an unpacked NIfTI-1 file.

    Raises:
        StoreError: For whatever leaves the place, the number or the value of a voxel in doubt.
    """
    try:
        header = nib.Nifti1Header(raw[:348], check=False)
        _check_fields(header)
        shape, affine = header.get_data_shape(), header.get_best_affine()
        forms = header.get_qform(coded=True)[0], header.get_sform(coded=True)[0]
    except _UNREADABLE as error:
        raise StoreError(f'{path} cannot be read as NIfTI ({error}): export it again') from error
    _check_shape(path, header, shape)
    _check_length(path, header, shape, len(raw))
    _check_codes(path, header)
    check_affine(path, affine)
    if forms[0] is not None and forms[1] is not None:
        _check_agreement(path, forms[0], forms[1], shape)
    _check_scaling(path, header)
    return header, affine


def _check_fields(header: nib.Nifti1Header) -> None:
    """Raise what nibabel would mend in silence."""
    if header['magic'].item() == b'ni1':
        raise ValueError('the header of a .hdr and .img pair, where one file is read')
    if header['pixdim'][0] == 0:
        header['pixdim'][0] = 1  # as the standard has it
    header.check_fix(logging.getLogger(__name__), error_level=1)


def _check_shape(path: str | Path, header: nib.Nifti1Header, shape: tuple[int, ...]) -> None:
    dtype = header.get_data_dtype()
    if len(shape) < 3 or set(shape[3:]) - {1} or dtype.kind not in 'iuf':
        raise StoreError(
            f'{path} is {len(shape)}D {dtype} {shape}, a scan is 3D with '
            'one value a voxel: extract one volume'
        )
    if min(shape) < 1:
        raise StoreError(f'{path} is {shape}: it holds no voxel: export it again')


def _check_length(
    path: str | Path, header: nib.Nifti1Header, shape: tuple[int, ...], length: int
) -> None:
    start, voxels = header.get_data_offset(), header.get_data_dtype().itemsize
    for size in shape:
        voxels *= int(size)
    check_bytes(path, voxels)
    if length != start + voxels:
        raise StoreError(
            f'{path}: its header announces {voxels} bytes of voxels from {start} on, the file has '
            f'{length} bytes: it is truncated, or dim, datatype or vox_offset is wrong: export it '
            'again'
        )


def _check_codes(path: str | Path, header: nib.Nifti1Header) -> None:
    if header['qform_code'] == 0 and header['sform_code'] == 0:
        raise StoreError(
            f'{path}: qform_code and sform_code are both 0, so nothing says which side is left: '
            'export it again with its affine'
        )
    unit = int(header['xyzt_units']) % 8
    if unit not in (0, 2):  # not said, mm
        name = {1: 'metre', 3: 'micron'}.get(unit, f'code {unit}')
        raise StoreError(f'{path}: its unit of length is {name}, only mm is read: export it again')


def _check_agreement(
    path: str | Path, qform: np.ndarray, sform: np.ndarray, shape: tuple[int, ...]
) -> None:
    """Both give the same place, to half a voxel, at the corners of the volume."""
    corners = np.indices((2, 2, 2)).reshape(3, 8) * (np.array(shape[:3])[:, None] - 1)
    gap = (qform - sform)[:3] @ np.vstack([corners, np.ones(8)])
    apart = float(np.sqrt((gap**2).sum(0)).max())
    if not apart <= spacing_of(sform).min() / 2:
        raise StoreError(
            f'{path}: qform and sform put voxels up to {apart:.1f} mm apart, so nothing says which '
            'is right: set the code of the wrong one to 0'
        )


def _check_scaling(path: str | Path, header: nib.Nifti1Header) -> None:
    """A slope of 0 or NaN means that values are stored as they are; so must the intercept."""
    slope, inter = float(header['scl_slope']), float(header['scl_inter'])
    scaled = np.isfinite(slope) and slope != 0 and np.isfinite(inter)
    plain = (slope == 0 or np.isnan(slope)) and (inter == 0 or np.isnan(inter))
    if not (scaled or plain):
        raise StoreError(
            f'{path}: scl_slope {slope} with scl_inter {inter} leaves its values in doubt: '
            'export it again'
        )
