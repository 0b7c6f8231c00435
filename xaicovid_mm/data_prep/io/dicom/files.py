"""The CT images among the files of a folder or a zip."""

import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from lzma import LZMAError
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage

from ....utils.errors import ScanError
from ..limits import check_bytes
from .header import FIELDS, Header

_SYNTAX, _STORAGE = 0x00020010, 0x00020002
_CT = (CTImageStorage, EnhancedCTImageStorage)
_ROOT = '1.2.840.10008.1.2'
_BAD_ZIP = (
    OSError,
    EOFError,
    RuntimeError,
    UnicodeError,
    LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
DECODERS = {
    **dict.fromkeys([_ROOT, f'{_ROOT}.1', f'{_ROOT}.2'], ''),
    **{f'{_ROOT}.4.{jpeg}': 'gdcm' for jpeg in (57, 70, 80, 81)},
    **{f'{_ROOT}.4.{jpeg}': 'pylibjpeg' for jpeg in (90, 91)},
    f'{_ROOT}.5': 'pydicom',
}
"""What decodes a transfer syntax: lossless JPEG, JPEG-LS, JPEG 2000, RLE; '' if uncompressed."""


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A CT image, its pixels not read yet.

    Attributes:
        source: Where it is; the bytes of a zip's member.
        header: Without pixels.
        decoder: See ``DECODERS``.
    """

    source: Path | bytes
    header: Header
    decoder: str

    def dataset(self) -> Dataset:
        """Header and pixels.

        Raises:
            ScanError: If it cannot be read.
        """
        return _parsed(self.header.name, self.source, [*FIELDS, 'PixelData'])

    def fields(self, names: list[str]) -> Dataset:
        """These fields of the header and no others.

        Raises:
            ScanError: If it cannot be read.
        """
        return _parsed(self.header.name, self.source, names)


def find_dicom(path: Path) -> tuple[list[DicomFile], list[str]]:
    """CT images at a path, and what was ignored there with the reason.

    DICOMDIR, files that are no DICOM, other modalities, dose reports, secondary captures and
    localizers are ignored. Names mean nothing, so a missing extension does not matter.

    Raises:
        ScanError: For a damaged file or zip, or a transfer syntax without a decoder.
    """
    found: list[DicomFile] = []
    ignored: list[str] = []
    for name, source in _sources(path):
        image = _ct_image(name, source)
        if isinstance(image, str):
            ignored.append(f'{name} ({image})')
        else:
            found.append(image)
    return found, ignored


def _ct_image(name: str, source: Path | bytes) -> DicomFile | str:
    """The image, or why it is none."""
    if isinstance(source, Path) and not source.is_file():
        return 'no regular file'
    with _opened(name, source) as file:
        if file.read(132)[128:] != b'DICM':
            return 'no DICOM file'
        syntax, storage = _meta(name, file)
    if storage not in ('', *_CT):
        return UID(storage).name
    if syntax not in DECODERS:
        raise ScanError(
            f'{name}: transfer syntax {UID(syntax).name or "absent"!r} is not read',
            'decompress it, for instance by gdcmconv --raw',
        )
    header = Header(name, _parsed(name, source, FIELDS))
    if header.text('SOPClassUID') not in _CT or header.text('Modality') != 'CT':
        return f'no CT image: modality {header.text("Modality")!r}'
    if 'LOCALIZER' in header.text('ImageType').split('\\'):
        return 'localizer'
    if not header.text('SeriesInstanceUID'):
        raise header.error('SeriesInstanceUID', 'absent', 'there')
    return DicomFile(source, header, DECODERS[syntax])


def _sources(path: Path) -> Iterator[tuple[str, Path | bytes]]:
    """Files in a fixed order; links to folders are not followed."""
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from ((str(Path(folder, name)), Path(folder, name)) for name in sorted(names))
        return
    with _opened(str(path), path) as file:
        is_zip = file.read(2) == b'PK'
    yield from _members(path) if is_zip else [(str(path), path)]


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """What a zip holds, read into memory: nothing is unpacked to the disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            check_bytes(path, sum(member.file_size for member in members))
            for member in members:
                yield f'{path}: {member.filename!r}', archive.read(member)
    except _BAD_ZIP as error:
        raise ScanError(
            f'{path} cannot be read as zip ({error})',
            'pack it again',
        ) from error


def _opened(name: str, source: Path | bytes) -> BinaryIO:
    try:
        return BytesIO(source) if isinstance(source, bytes) else open(source, 'rb')
    except OSError as error:
        raise _unreadable(name, error) from error


def _meta(name: str, file: BinaryIO) -> tuple[str, str]:
    """Transfer syntax and storage class, read without inflating what may follow."""
    found = {_SYNTAX: b'', _STORAGE: b''}
    try:
        for element in data_element_generator(
            file, False, True, stop_when=lambda tag, *_: tag.group != 2
        ):
            if element.tag in found:
                found[element.tag] = bytes(element.value or b'')
    except Exception as error:  # whatever the garbage trips over
        raise _unreadable(name, error) from error
    syntax, storage = (value.decode('ascii', 'replace').strip(' \0') for value in found.values())
    return syntax, storage


def _parsed(name: str, source: Path | bytes, fields: list[str]) -> Dataset:
    try:
        with _opened(name, source) as file, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            warnings.filterwarnings('error', message='.*end of file')
            pixels = 'PixelData' in fields
            return pydicom.dcmread(file, stop_before_pixels=not pixels, specific_tags=fields)
    except Exception as error:  # whatever the garbage trips over
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> ScanError:
    return ScanError(f'{name} cannot be read as DICOM ({error!r:.200}): export it again')
