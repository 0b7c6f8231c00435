"""Read and write NIfTI files. A header that leaves a voxel in doubt is refused.

The header is checked before any voxel is read or unpacked, so that a small file cannot ask for a
large memory.
"""

import gzip
import io
import logging
import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.volumeutils import apply_read_scaling

from ...utils.errors import ScanError
from ..orientation import spacing_of, straight
from .limits import PIECE, check_affine, check_bytes

_File = gzip.GzipFile | io.BufferedReader
_GZIP = b'\x1f\x8b'


def is_gzip_name(path: str | Path) -> bool:
    """Whether a file has the ending of a packed file, in letters of any case."""
    return str(path).lower().endswith('.gz')


def read_nifti(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a scan or a mask: one file of NIfTI-1 or NIfTI-2, .nii or .nii.gz.

    Returns:
        Values (I, J, K) in the file's axis order, and the affine 4x4, voxel to mm (RAS).

    Raises:
        ScanError: For a file that is missing, truncated, damaged or no NIfTI, whose header
            contradicts itself or the file's length, that is not three-dimensional with one real
            value a voxel, has an affine that is singular, sheared or not finite, a spacing
            below 0.01 mm, or values that are not finite.
    """
    try:
        with gzip.open(path) if is_gzip_name(path) else open(path, 'rb') as file:
            header, affine = _checked_header(path, file)
            data = _values(path, header, file)
    except (ScanError, MemoryError):
        raise
    except gzip.BadGzipFile as error:
        raise _bad_gzip(path, error) from error
    except Exception as error:  # whatever a broken file makes the reader stumble over
        raise ScanError(
            f'{path} cannot be read as NIfTI ({str(error)!r})', 'export it again'
        ) from error
    if data.dtype.kind == 'f' and not np.isfinite(data).all():
        count = int((~np.isfinite(data)).sum())
        raise ScanError(
            f'{path}: {count} of {data.size} voxels are NaN or infinite', 'export it again'
        )
    return data.astype(data.dtype.newbyteorder('='), copy=False), affine


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write an array (I, J, K) with its affine 4x4, voxel to mm (RAS), as qform and as sform.

    The header holds the geometry only, nothing from the header of a scan. Some programs read only
    one of the two forms, and some only an affine with axes at right angles.
    """
    affine = straight(affine, array.shape)
    image = nib.Nifti1Image(array, affine)
    image.set_qform(affine, code='scanner')
    image.set_sform(affine, code='scanner')
    image.header.set_xyzt_units('mm')
    nib.save(image, path)


def _checked_header(path: str | Path, file: _File) -> tuple[nib.Nifti1Header, np.ndarray]:
    """Read the header and the affine (RAS) from the start of an unpacked file.

    Raises:
        ScanError: If the place, the number or the value of a voxel is in doubt.
        ValueError: If it is no header of NIfTI. So do the other errors of nibabel.
    """
    raw = file.read(nib.Nifti1Header.template_dtype.itemsize)
    if raw.startswith(_GZIP):
        if str(path).lower().endswith('.gz'):
            raise ScanError(f'{path} is packed with gzip twice', 'unpack it once')
        raise ScanError(f'{path} is packed with gzip, and its name does not say so', 'add .gz')
    kind: type[nib.Nifti1Header] = nib.Nifti1Header
    if raw[:4] in (b'\x1c\2\0\0', b'\0\0\2\x1c'):  # 540 bytes of header
        kind = nib.Nifti2Header
        raw += file.read(kind.template_dtype.itemsize - len(raw))
    header = kind(raw, check=False)
    _check_fields(header)
    shape, affine = header.get_data_shape(), header.get_best_affine()
    forms = header.get_qform(coded=True)[0], header.get_sform(coded=True)[0]
    _check_shape(path, header, shape)
    _check_scaling(path, header)
    _check_size(path, header, file)
    _check_codes(path, header)
    check_affine(path, affine)
    if forms[0] is not None and forms[1] is not None:
        _check_agreement(path, forms[0], forms[1], shape)
    return header, affine


def _values(path: str | Path, header: nib.Nifti1Header, file: _File) -> np.ndarray:
    """Read the scaled values (I, J, K) that follow the header, and check that the file ends."""
    start, length = header.get_data_offset(), _voxel_bytes(header)
    at = file.tell()
    while at < start and (skipped := len(file.read(min(start - at, PIECE)))):
        at += skipped
    raw = np.empty(length, np.uint8)
    rest = memoryview(raw)
    while rest and (count := file.readinto(rest[:PIECE])):
        rest = rest[count:]
    if rest:
        raise _wrong_length(path, header, f'ends after {at + length - len(rest)} bytes')
    if file.read(1):  # gzip compares the checksum at the end
        raise _wrong_length(path, header, 'goes on after them')
    shape, dtype = header.get_data_shape()[:3], header.get_data_dtype()
    slope, inter = header.get_slope_inter()
    stored = raw.view(dtype).reshape(shape, order='F')
    return stored if slope is None else apply_read_scaling(stored, slope, inter)


def _voxel_bytes(header: nib.Nifti1Header) -> int:
    length = header.get_data_dtype().itemsize
    for size in header.get_data_shape():
        length *= int(size)
    return length


def _check_fields(header: nib.Nifti1Header) -> None:
    """Raise an error for a field that nibabel would repair without a word."""
    if header['magic'].item() == b'ni1':
        raise ValueError('the header of a .hdr and .img pair, where one file is read')
    if header['pixdim'][0] == 0:
        header['pixdim'][0] = 1  # the standard reads 0 as 1
    header.check_fix(logging.getLogger(__name__), error_level=1)


def _check_shape(path: str | Path, header: nib.Nifti1Header, shape: tuple[int, ...]) -> None:
    dtype = header.get_data_dtype()
    kind = 'in colour' if dtype.names else dtype
    if len(shape) < 3 or set(shape[3:]) - {1} or dtype.kind not in 'iuf':
        raise ScanError(
            f'{path} is {len(shape)}D {kind} {shape}, a scan is 3D with one value a voxel',
            'extract one volume',
        )
    if min(shape) < 1:
        raise ScanError(f'{path} is {shape}: it holds no voxel', 'export it again')


def _check_size(path: str | Path, header: nib.Nifti1Header, file: _File) -> None:
    """Check the size that the header announces, before anything is unpacked or reserved."""
    start, length = header.get_data_offset(), _voxel_bytes(header)
    check_bytes(path, start + length)
    if header.get_slope_inter()[0] not in (None, 1):  # a factor makes float64 of the values
        check_bytes(path, length // header.get_data_dtype().itemsize * 8)
    there = os.fstat(file.fileno()).st_size
    if not is_gzip_name(path) and there != start + length:
        end = f'ends after {there} bytes' if there < start + length else 'goes on after them'
        raise _wrong_length(path, header, end)


def _bad_gzip(path: str | Path, error: gzip.BadGzipFile) -> ScanError:
    with open(path, 'rb') as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
    cause = 'it is damaged, or something was added to it' if is_packed else 'it is not gzip'
    remedy = (
        'export it again'
        if is_packed
        else 'if it is not packed, take .gz out of its name; if it is, unpack it'
    )
    return ScanError(f'{path} cannot be read as NIfTI ({str(error)!r}): {cause}', remedy)


def _wrong_length(path: str | Path, header: nib.Nifti1Header, end: str) -> ScanError:
    cause = 'it is truncated' if end.startswith('ends') else 'something was added to it'
    return ScanError(
        f'{path}: its header announces {_voxel_bytes(header)} bytes of voxels from '
        f'{header.get_data_offset()} on, the file {end}: {cause}, or dim, datatype or vox_offset '
        'is wrong',
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
