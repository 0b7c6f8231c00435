"""A scan in the one orientation of this package, whatever file it came from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import inv_ornt_aff

from .errors import StoreError
from .files import file_sha256
from .orientation import spacing_of, to_upright, turn, upright_spacing

MAX_BYTES = 4 * 2**30
"""What one scan may need, unpacked; a bomb stops here."""


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


def read_scan(path: str | Path, series: str | None = None) -> Volume:
    """Read a NIfTI file, a folder of DICOM files, a zip of them, or one multi-frame DICOM file.

    Args:
        path: What to read.
        series: SeriesInstanceUID, where a folder or zip holds several that fit.

    Raises:
        StoreError: See ``read_volume`` and ``read_dicom``; for a path that is neither, what it is.
    """
    from .dicom import read_dicom  # both readers need Volume
    from .nifti import read_volume

    path = Path(path)
    head = _head(path)
    if path.is_dir() or head[128:] == b'DICM' or head.startswith(b'PK'):
        return read_dicom(path, series)
    if not (path.is_file() and path.name.endswith(('.nii', '.nii.gz'))):
        raise StoreError(
            f'{path} is {_kind(path, head)}: give a NIfTI file (.nii, .nii.gz), a folder of DICOM '
            'files or a zip of them'
        )
    return read_volume(path)


def upright(data: np.ndarray, affine: np.ndarray) -> Volume:
    """Turn an array (I, J, K) with its affine (RAS) into a ``Volume``; values stay."""
    return Volume(to_upright(data, affine), upright_spacing(affine), affine, data.shape)


def check_affine(path: str | Path, affine: np.ndarray) -> None:
    """Refuse an affine that no straight grid has.

    Raises:
        StoreError: If it is not finite, has a spacing of 0, or axes that are not at right angles.
    """
    if not np.isfinite(affine).all():
        raise StoreError(f'{path}: its affine holds NaN or infinity: {affine.tolist()}: repair it')
    spacing = spacing_of(affine)
    if (spacing <= 1e-3).any():
        raise StoreError(
            f'{path}: its spacing is {spacing.tolist()} mm, every value must be above 0: repair '
            'its header'
        )
    cosines = affine[:3, :3] / spacing
    skew = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if skew > 1e-3:
        raise StoreError(
            f'{path}: its axes are not at right angles (cosine {skew:.3f}: shear or gantry tilt): '
            'resample it to a straight grid'
        )


def check_bytes(path: str | Path, count: int) -> None:
    """Refuse what would fill the memory.

    Raises:
        StoreError: For more than ``MAX_BYTES``.
    """
    if count > MAX_BYTES:
        raise StoreError(
            f'{path} asks for {count} bytes unpacked, {MAX_BYTES} is the most for a scan: '
            'check its header, or split it'
        )


def check_same_grid(
    scan_path: str | Path, scan: Volume, mask_path: str | Path, mask: Volume
) -> None:
    """Refuse a mask whose voxels lie elsewhere than its scan's, both turned upright.

    The order of axes in the files may differ, as it does between a DICOM scan and a NIfTI mask.

    Raises:
        StoreError: Naming both files and what differs.
    """
    if scan.data.shape != mask.data.shape:
        raise StoreError(
            f'{mask_path} is {mask.original_shape}, {scan_path} is {scan.original_shape}: give a '
            'mask on the grid of the scan'
        )
    gap = float(np.abs(_upright_affine(scan) - _upright_affine(mask)).max())
    if gap > 1e-2:
        raise StoreError(
            f'{mask_path} and {scan_path} have affines that differ by up to {gap:.3f} mm: resample '
            'the mask to the grid of the scan'
        )


def scan_sha256(path: str | Path) -> str:
    """The sha256 of a scan's file; of a folder, that of the list of its files' hashes."""
    path = Path(path)
    if path.is_file():
        return file_sha256(path)
    hashes = sorted(file_sha256(file) for file in path.rglob('*') if file.is_file())
    return hashlib.sha256('\n'.join(hashes).encode()).hexdigest()


def _upright_affine(volume: Volume) -> np.ndarray:
    return volume.affine @ inv_ornt_aff(turn(volume.affine), volume.original_shape)


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            path.stat()
            return b''
        with open(path, 'rb') as file:
            return file.read(132)
    except OSError as error:
        raise StoreError(f'{path} cannot be read ({error}): check the path') from error


def _kind(path: Path, head: bytes) -> str:
    kinds = {
        b'\x89PNG': 'a PNG image',
        b'\xff\xd8': 'a JPEG image',
        b'NRRD': 'an NRRD file',
        b'ObjectType': 'a MetaImage header',
        b'\x93NUMPY': 'a NumPy array',
        b'\x1f\x8b': 'a gzip file without .nii.gz in its name',
    }
    if not head:
        return 'an empty file' if path.is_file() else 'no regular file'
    return next((kind for mark, kind in kinds.items() if head.startswith(mark)), 'an unknown file')
