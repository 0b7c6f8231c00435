"""Read and write NIfTI files. A header that leaves a voxel in doubt is refused."""

import gzip
import logging
import zlib
from io import BytesIO
from pathlib import Path

import nibabel as nib
import numpy as np

from ...utils.errors import ScanError
from ..orientation import spacing_of
from .limits import MAX_BYTES, check_affine, check_bytes

_UNREADABLE = (
    ValueError,
    OverflowError,
    nib.spatialimages.HeaderDataError,
    nib.wrapstruct.WrapStructError,
)


def read_nifti(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a scan or a mask: one NIfTI-1 file, .nii or .nii.gz.

    Returns:
        Values (I, J, K) in the file's axis order, and the affine 4x4, voxel to mm (RAS).

    Raises:
        ScanError: For a file that is missing, truncated, damaged or no NIfTI, whose header
            contradicts itself or the file's length, that is not three-dimensional with one real
            value a voxel, has an affine that is singular, sheared or not finite, a spacing that is
            not above 0, or values that are not finite.
    """
    raw = _unpacked(path)
    header, affine = _checked_header(path, raw)
    data = header.data_from_fileobj(BytesIO(raw)).reshape(header.get_data_shape()[:3])
    if not np.isfinite(data).all():
        count = int((~np.isfinite(data)).sum())
        raise ScanError(
            f'{path}: {count} of {data.size} voxels are NaN or infinite', 'export it again'
        )
    return data.astype(data.dtype.newbyteorder('='), copy=False), affine


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write an array (I, J, K) with its affine 4x4, voxel to mm (RAS).

    The header holds the geometry only, nothing from the header of a scan.
    """
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units('mm')
    nib.save(image, path)


def _unpacked(path: str | Path) -> bytes:
    """The whole file, unpacked: gzip notices only at the end whether a file is damaged."""
    opened = gzip.open if str(path).endswith('.gz') else open
    try:
        with opened(path, 'rb') as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ScanError(f'{path} cannot be read as NIfTI ({error})', 'export it again') from error
    check_bytes(path, len(raw))
    return raw


def _checked_header(path: str | Path, raw: bytes) -> tuple[nib.Nifti1Header, np.ndarray]:
    """The header and affine (RAS) of an unpacked NIfTI-1 file.

    Raises:
        ScanError: If the place, the number or the value of a voxel is in doubt.
    """
    try:
        header = nib.Nifti1Header(raw[:348], check=False)
        _check_fields(header)
        shape, affine = header.get_data_shape(), header.get_best_affine()
        forms = header.get_qform(coded=True)[0], header.get_sform(coded=True)[0]
    except _UNREADABLE as error:
        raise ScanError(f'{path} cannot be read as NIfTI ({error})', 'export it again') from error
    _check_shape(path, header, shape)
    _check_length(path, header, shape, len(raw))
    _check_codes(path, header)
    check_affine(path, affine)
    if forms[0] is not None and forms[1] is not None:
        _check_agreement(path, forms[0], forms[1], shape)
    _check_scaling(path, header)
    return header, affine


def _check_fields(header: nib.Nifti1Header) -> None:
    """Raise an error for a field that nibabel would repair without a word."""
    if header['magic'].item() == b'ni1':
        raise ValueError('the header of a .hdr and .img pair, where one file is read')
    if header['pixdim'][0] == 0:
        header['pixdim'][0] = 1  # the standard reads 0 as 1
    header.check_fix(logging.getLogger(__name__), error_level=1)


def _check_shape(path: str | Path, header: nib.Nifti1Header, shape: tuple[int, ...]) -> None:
    dtype = header.get_data_dtype()
    if len(shape) < 3 or set(shape[3:]) - {1} or dtype.kind not in 'iuf':
        raise ScanError(
            f'{path} is {len(shape)}D {dtype} {shape}, a scan is 3D with one value a voxel',
            'extract one volume',
        )
    if min(shape) < 1:
        raise ScanError(f'{path} is {shape}: it holds no voxel', 'export it again')


def _check_length(
    path: str | Path, header: nib.Nifti1Header, shape: tuple[int, ...], length: int
) -> None:
    start, voxels = header.get_data_offset(), header.get_data_dtype().itemsize
    for size in shape:
        voxels *= int(size)
    check_bytes(path, voxels)
    if length != start + voxels:
        raise ScanError(
            f'{path}: its header announces {voxels} bytes of voxels from {start} on, the file '
            f'has {length} bytes: it is truncated, or dim, datatype or vox_offset is wrong',
            'export it again',
        )


def _check_codes(path: str | Path, header: nib.Nifti1Header) -> None:
    if header['qform_code'] == 0 and header['sform_code'] == 0:
        raise ScanError(
            f'{path}: qform_code and sform_code are both 0, so nothing says which side is left',
            'export it again with its affine',
        )
    unit = int(header['xyzt_units']) % 8
    if unit not in (0, 2):  # unknown, mm
        name = {1: 'metre', 3: 'micron'}.get(unit, f'code {unit}')
        raise ScanError(f'{path}: its unit of length is {name}, only mm is read', 'export it again')


def _check_agreement(
    path: str | Path, qform: np.ndarray, sform: np.ndarray, shape: tuple[int, ...]
) -> None:
    """Refuse a qform and sform that are half a voxel or more apart at a corner of the volume."""
    corners = np.indices((2, 2, 2)).reshape(3, 8) * (np.array(shape[:3])[:, None] - 1)
    gap = (qform - sform)[:3] @ np.vstack([corners, np.ones(8)])
    apart = float(np.sqrt((gap**2).sum(0)).max())
    if not apart <= spacing_of(sform).min() / 2:
        raise ScanError(
            f'{path}: qform and sform put voxels up to {apart:.1f} mm apart, so nothing says '
            'which is right',
            'set the code of the wrong one to 0',
        )


def _check_scaling(path: str | Path, header: nib.Nifti1Header) -> None:
    """Refuse a scaling that is half given. A slope and intercept of 0 or NaN mean no scaling."""
    slope, inter = float(header['scl_slope']), float(header['scl_inter'])
    scaled = np.isfinite(slope) and slope != 0 and np.isfinite(inter)
    plain = (slope == 0 or np.isnan(slope)) and (inter == 0 or np.isnan(inter))
    if not (scaled or plain):
        raise ScanError(
            f'{path}: scl_slope {slope} with scl_inter {inter} leaves its values in doubt',
            'export it again',
        )
