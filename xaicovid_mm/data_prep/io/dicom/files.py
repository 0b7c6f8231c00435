"""Find the CT images among the files of a folder or a zip."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, MediaStorageDirectoryStorage

from ....utils.errors import ScanError
from ..ignored import (
    LOCALIZER,
    NO_DICOM,
    NO_FILE,
    OTHER_KIND,
    OTHER_MODALITY,
    SYSTEM_FILE,
    IgnoredFile,
    is_system_name,
)
from .header import ABSENT, FIELDS, Header
from .source import BAD_ZIP, Source, bad_zip, sources

_SYNTAX, _STORAGE = 0x00020010, 0x00020002
_CT = (CTImageStorage, EnhancedCTImageStorage)
_ROOT = '1.2.840.10008.1.2'
DECODERS = {
    **dict.fromkeys([_ROOT, f'{_ROOT}.1', f'{_ROOT}.2'], ''),
    **{f'{_ROOT}.4.{jpeg}': 'gdcm' for jpeg in (57, 70, 80, 81)},
    **{f'{_ROOT}.4.{jpeg}': 'pylibjpeg' for jpeg in (90, 91)},
    f'{_ROOT}.5': 'pydicom',
}
"""Decoding plugin by transfer syntax: none, lossless JPEG and JPEG-LS, JPEG 2000, RLE."""
MAX_FIELD_BYTES = 64 * 2**20
"""A longer field of a header is not loaded: it counts as absent."""
MAX_REST_BYTES = 64 * 2**20
"""Bytes that a file may have apart from its pixels."""


@dataclass(frozen=True, eq=False)
class DicomFile:
    """A DICOM file with a CT image. Its pixels are not read yet.

    Attributes:
        source: The file.
        header: Without pixels.
        syntax: UID of the transfer syntax.
    """

    source: Source
    header: Header
    syntax: str

    @property
    def decoder(self) -> str:
        """The plugin that decodes the pixels; empty if they are not compressed."""
        return DECODERS[self.syntax]

    def dataset(self, pixel_bytes: int) -> Dataset:
        """Read header and pixels.

        Args:
            pixel_bytes: What the pixels have unpacked, according to the header.

        Raises:
            ScanError: If the file cannot be read, or is too large to hold these pixels.
        """
        if self.source.size > 2 * pixel_bytes + MAX_REST_BYTES:
            raise ScanError(
                f'{self.header.name} has {self.source.size} bytes, for {pixel_bytes} bytes of '
                'pixels',
                'export it again',
            )
        dataset = _parsed(self.source, [*FIELDS, 'PixelData'])
        dataset.file_meta.TransferSyntaxUID = UID(self.syntax)  # absent in a file without meta data
        return dataset

    def stored_pixels(self) -> bytes:
        """The bytes of the pixels as they are stored; b'' if there are none.

        Raises:
            ScanError: If the file cannot be read.
        """
        dataset = self.fields(['PixelData'])
        return bytes(dataset.PixelData) if 'PixelData' in dataset else b''

    def fields(self, names: list[str]) -> Dataset:
        """Read these fields of the header and no others.

        Raises:
            ScanError: If the file cannot be read.
        """
        return _parsed(self.source, names)


def find_dicom(path: Path) -> tuple[list[DicomFile], list[IgnoredFile]]:
    """Find the CT images at a path: a folder at any depth, a zip, or one file.

    Files of the system, files that are no DICOM, other modalities, dose reports, secondary captures
    and localizers are ignored. Other names mean nothing, so a missing extension does not matter.

    Returns:
        The CT images in the order of their names, and the ignored files.

    Raises:
        ScanError: For a damaged file or zip, or a transfer syntax without a decoder.
    """
    images: list[DicomFile] = []
    ignored: list[IgnoredFile] = []
    try:
        for source in sources(path):
            found = _ct_image(source)
            if isinstance(found, DicomFile):
                images.append(found)
            else:
                ignored.append(found)
    except BAD_ZIP as error:
        raise bad_zip(path, error) if path.is_file() else _unreadable(str(path), error) from error
    return images, ignored


def holds_ct_image(path: Path) -> bool:
    """Whether a file is a CT image by its header, and not only a file beside scans."""
    try:
        return isinstance(_ct_image(Source(path)), DicomFile)
    except ScanError:
        return True  # it is one that cannot be read


def _ct_image(source: Source) -> DicomFile | IgnoredFile:
    """The CT image of a file, or the reason why it holds none."""
    if is_system_name(source.file_name):
        return IgnoredFile(source.name, SYSTEM_FILE)
    if not source.is_regular():
        return IgnoredFile(source.name, NO_FILE)
    with _opened(source) as file:
        head = file.read(132)
    bare = head[128:] != b'DICM'
    if bare and not _begins_with_a_field(head):
        return IgnoredFile(source.name, NO_DICOM)
    try:
        return _described(source, bare)
    except ScanError:
        if bare:  # it only looked like DICOM without a preamble
            return IgnoredFile(source.name, NO_DICOM)
        raise


def _described(source: Source, bare: bool) -> DicomFile | IgnoredFile:
    """Read the header of a DICOM file; a bare one has no preamble, and may lack the meta data."""
    with _opened(source) as file:
        file.seek(0 if bare else 132)
        syntax, storage = _meta(source.name, file)
    if storage == MediaStorageDirectoryStorage:
        return IgnoredFile(source.name, SYSTEM_FILE)
    if not _may_be_ct(storage):
        return IgnoredFile(source.name, OTHER_KIND, repr(UID(storage).name))
    if syntax not in DECODERS and not (bare and not syntax):
        raise ScanError(
            f'{source.name}: transfer syntax {UID(syntax).name or "absent"!r} is not read',
            'decompress it, for instance with gdcmconv --raw',
        )
    dataset = _parsed(source, FIELDS)
    header = Header(source.name, dataset)
    if (kind := header.text('SOPClassUID')) not in _CT:
        if storage and _may_be_ct(kind):
            raise header.error('SOPClassUID', kind or ABSENT, f'one of {_CT}')
        return IgnoredFile(source.name, NO_DICOM if bare or _may_be_ct(kind) else OTHER_KIND)
    if (modality := header.text('Modality')) != 'CT':
        return IgnoredFile(source.name, OTHER_MODALITY, repr(modality))
    if 'LOCALIZER' in header.text('ImageType').split('\\'):
        return IgnoredFile(source.name, LOCALIZER)
    if not header.text('SeriesInstanceUID'):
        raise header.error('SeriesInstanceUID', ABSENT, 'there')
    implicit, _ = dataset.original_encoding
    return DicomFile(source, header, syntax or (_ROOT if implicit else f'{_ROOT}.1'))


def _may_be_ct(kind: str) -> bool:
    """Whether a storage class is that of CT images, or what is left of it in a file that is cut."""
    return any(uid.startswith(kind) for uid in _CT)


def _begins_with_a_field(head: bytes) -> bool:
    """Whether a file without a preamble begins like DICOM: with group 2 or 8, little-endian."""
    if len(head) < 8:
        return False
    group, element, length = struct.unpack('<HHI', head[:8])
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return group in (2, 8) and element < 0x100 and (explicit or length < 1024)


def _opened(source: Source) -> BinaryIO:
    try:
        return source.open()
    except OSError as error:
        raise _unreadable(source.name, error) from error


def _meta(name: str, file: BinaryIO) -> tuple[str, str]:
    """Transfer syntax and storage class, read without decompressing the rest of the file."""
    values = {_SYNTAX: b'', _STORAGE: b''}
    try:
        for element in data_element_generator(
            file,
            False,
            True,
            stop_when=lambda tag, *_: tag.group != 2,
            defer_size=MAX_FIELD_BYTES,
        ):
            if element.tag in values:
                values[element.tag] = bytes(element.value or b'')
    except Exception as error:  # a damaged file can raise anything
        raise _unreadable(name, error) from error
    syntax, storage = (value.decode('ascii', 'replace').strip(' \0') for value in values.values())
    return syntax, storage


def _parsed(source: Source, fields: list[str]) -> Dataset:
    try:
        with _opened(source) as file, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            warnings.filterwarnings('error', message='.*end of file')
            pixels = 'PixelData' in fields
            return pydicom.dcmread(
                file,
                stop_before_pixels=not pixels,
                specific_tags=fields,
                defer_size=None if pixels else MAX_FIELD_BYTES,
                force=True,
            )
    except Exception as error:  # a damaged file can raise anything
        raise _unreadable(source.name, error) from error


def _unreadable(name: str, error: Exception) -> ScanError:
    reason = f'{type(error).__name__}: {error}'
    return ScanError(f'{name} cannot be read as DICOM ({reason[:200]!r})', 'export it again')
