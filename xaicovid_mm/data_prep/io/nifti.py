"""NIfTI in: read, checked at the door, turned upright."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np

from .nifti_header import checked_header
from .store import StoreError
from .volume import MAX_BYTES, Volume, check_bytes, upright


def read_volume(path: str | Path) -> Volume:
    """Read a scan or a mask: one NIfTI-1 file, .nii or .nii.gz.

    Raises:
        StoreError: For a file that is missing, truncated, damaged or no NIfTI, whose header
            contradicts itself or the file's length, that is not three-dimensional with one real
            value a voxel, has an affine that is singular, sheared or not finite, a spacing that is
            not above 0, or values that are not finite. The message names the file, the values and
            the remedy.
    """
    raw = _unpacked(path)
    header, affine = checked_header(path, raw)
    data = header.data_from_fileobj(BytesIO(raw)).reshape(header.get_data_shape()[:3])
    if not np.isfinite(data).all():
        count = int((~np.isfinite(data)).sum())
        raise StoreError(
            f'{path}: {count} of {data.size} voxels are NaN or infinite: export it again'
        )
    return upright(data.astype(data.dtype.newbyteorder('='), copy=False), affine)


def _unpacked(path: str | Path) -> bytes:
    """The whole file: only at its end does gzip know whether it is damaged."""
    opened = gzip.open if str(path).endswith('.gz') else open
    try:
        with opened(path, 'rb') as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f'{path} cannot be read as NIfTI ({error}): export it again') from error
    check_bytes(path, len(raw))
    return raw
