"""Read a scan of any supported format: choose the reader, then turn the scan upright."""

import hashlib
from pathlib import Path

from ...utils.errors import ScanError
from ...utils.files import file_sha256
from ..volume import Volume, upright
from .dicom.files import holds_ct_image
from .dicom.series import read_dicom
from .image_folder import ImageFolderSpec, is_image_folder, read_image_folder
from .nifti import read_nifti

NIFTI_SUFFIXES = ('.nii', '.nii.gz')
_PAIR_SUFFIXES = ('.hdr', '.img', '.hdr.gz', '.img.gz')


def read_scan(
    path: str | Path, series: str | None = None, images: ImageFolderSpec | None = None
) -> Volume:
    """Read a scan and turn it upright.

    Args:
        path: A NIfTI file, a DICOM series (a folder, a zip, or one multi-frame file), or a folder
            of 8-bit images.
        series: SeriesInstanceUID, if a folder or zip holds several CT series.
        images: How a folder of 8-bit images was made; without it such a folder is refused.

    Raises:
        ScanError: If the path is none of these, a series is named of what is no DICOM, or its
            reader refuses it, see ``read_nifti``, ``read_dicom`` and ``read_image_folder``.
    """
    path = Path(path)
    head = _head(path)
    is_images = is_image_folder(path)
    if not is_images and (
        path.is_dir()
        or head[128:] == b'DICM'
        or head.startswith(b'PK')
        or (not path.name.lower().endswith(NIFTI_SUFFIXES) and holds_ct_image(path))  # no preamble
    ):
        return upright(*read_dicom(path, series))
    if series:
        raise ScanError(
            f'{path} is no DICOM and has no series {series!r}',
            'leave out the series, or give the DICOM files',
        )
    return upright(*read_image_folder(path, images)) if is_images else read_volume(path)


def read_volume(path: str | Path) -> Volume:
    """Read a scan or a mask from a NIfTI file and turn it upright.

    Raises:
        ScanError: If the file is something else, or ``read_nifti`` refuses it.
    """
    path = Path(path)
    head = _head(path)
    if not (head and path.name.lower().endswith(NIFTI_SUFFIXES)):
        raise ScanError(
            f'{path} is {_kind(path, head)}',
            'give a NIfTI file (.nii, .nii.gz), or of a scan a folder of DICOM files or a zip of '
            'them',
        )
    return upright(*read_nifti(path))


def scan_sha256(path: str | Path) -> str:
    """The sha256 of a scan's file; of a folder the sha256 of the sorted hashes of its files."""
    path = Path(path)
    if path.is_file():
        return file_sha256(path)
    hashes = sorted(file_sha256(file) for file in path.rglob('*') if file.is_file())
    return hashlib.sha256('\n'.join(hashes).encode()).hexdigest()


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            path.stat()
            return b''
        with open(path, 'rb') as file:
            return file.read(132)
    except OSError as error:
        reason = error.strerror or repr(str(error))
        raise ScanError(f'{path} cannot be read ({reason})', 'check the path') from error


def _kind(path: Path, head: bytes) -> str:
    """What a file is that cannot be read, by its first bytes."""
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
    if path.name.lower().endswith(_PAIR_SUFFIXES):
        return 'one file of a pair (.hdr and .img)'
    if head[128:] == b'DICM':
        return 'a DICOM file'
    return next((kind for mark, kind in kinds.items() if head.startswith(mark)), 'an unknown file')
