"""Find the CT images among the files of a folder or a zip."""

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
"""Decoding plugin by transfer syntax: none, lossless JPEG and JPEG-LS, JPEG 2000, RLE."""


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A DICOM file with a CT image. Its pixels are not read yet.

    Attributes:
        source: Its path; the bytes of a zip's member.
        header: Without pixels.
        decoder: See ``DECODERS``.
    """

    source: Path | bytes
    header: Header
    decoder: str

    def dataset(self) -> Dataset:
        """Read header and pixels.

        Raises:
            ScanError: If the file cannot be read.
        """
        return _parsed(self.header.name, self.source, [*FIELDS, 'PixelData'])

    def fields(self, names: list[str]) -> Dataset:
        """Read these fields of the header and no others.

        Raises:
            ScanError: If the file cannot be read.
        """
        return _parsed(self.header.name, self.source, names)


def find_dicom(path: Path) -> tuple[list[DicomFile], list[str]]:
    """Find the CT images at a path: a folder at any depth, a zip, or one file.

    DICOMDIR, files that are no DICOM, other modalities, dose reports, secondary captures and
    localizers are ignored. Names mean nothing, so a missing extension does not matter.

    Returns:
        The CT images in the order of their names, and the ignored files with the reason.

    Raises:
        ScanError: For a damaged file or zip, or a transfer syntax without a decoder.
    """
    images: list[DicomFile] = []
    ignored: list[str] = []
    for name, source in _sources(path):
        image_or_reason = _ct_image(name, source)
        if isinstance(image_or_reason, str):
            ignored.append(f'{name} ({image_or_reason})')
        else:
            images.append(image_or_reason)
    return images, ignored


def _ct_image(name: str, source: Path | bytes) -> DicomFile | str:
    """The CT image of a file, or the reason why it holds none."""
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
            'decompress it, for instance with gdcmconv --raw',
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
    """Name and source of each file, in a fixed order; links to folders are not followed."""
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from ((str(Path(folder, name)), Path(folder, name)) for name in sorted(names))
        return
    with _opened(str(path), path) as file:
        is_zip = file.read(2) == b'PK'
    yield from _members(path) if is_zip else [(str(path), path)]


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each member of a zip. Nothing is unpacked to the disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            check_bytes(path, sum(member.file_size for member in members))
            for member in members:
                yield f'{path}: {member.filename!r}', archive.read(member)
    except _BAD_ZIP as error:
        raise ScanError(f'{path} cannot be read as zip ({error})', 'pack it again') from error


def _opened(name: str, source: Path | bytes) -> BinaryIO:
    try:
        return BytesIO(source) if isinstance(source, bytes) else open(source, 'rb')
    except OSError as error:
        raise _unreadable(name, error) from error


def _meta(name: str, file: BinaryIO) -> tuple[str, str]:
    """Transfer syntax and storage class, read without decompressing the rest of the file."""
    values = {_SYNTAX: b'', _STORAGE: b''}
    try:
        for element in data_element_generator(
            file, False, True, stop_when=lambda tag, *_: tag.group != 2
        ):
            if element.tag in values:
                values[element.tag] = bytes(element.value or b'')
    except Exception as error:  # a damaged file can raise anything
        raise _unreadable(name, error) from error
    syntax, storage = (value.decode('ascii', 'replace').strip(' \0') for value in values.values())
    return syntax, storage


def _parsed(name: str, source: Path | bytes, fields: list[str]) -> Dataset:
    try:
        with _opened(name, source) as file, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            warnings.filterwarnings('error', message='.*end of file')
            pixels = 'PixelData' in fields
            return pydicom.dcmread(file, stop_before_pixels=not pixels, specific_tags=fields)
    except Exception as error:  # a damaged file can raise anything
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> ScanError:
    return ScanError(f'{name} cannot be read as DICOM ({error!r:.200})', 'export it again')
