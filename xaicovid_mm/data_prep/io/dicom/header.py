"""Read fields of a DICOM header as bytes and check them before they become numbers.

Fields are read raw, because the conversion of pydicom lets 1e400 pass as infinity and trusts the
type that the file claims. Only the fields of ``FIELDS`` are loaded. One of them names the patient,
PatientID: slices are compared by it, and no message shows it.
"""

import math
import re
from struct import unpack

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ....utils.errors import ScanError

FIELDS = [
    'SOPClassUID',
    'Modality',
    'ImageType',
    'PatientID',
    'SeriesInstanceUID',
    'ConcatenationUID',
    'ImagePositionPatient',
    'ImageOrientationPatient',
    'SamplesPerPixel',
    'PhotometricInterpretation',
    'NumberOfFrames',
    'Rows',
    'Columns',
    'PixelSpacing',
    'BitsAllocated',
    'BitsStored',
    'HighBit',
    'PixelRepresentation',
    'PixelPaddingValue',
    'PixelPaddingRangeLimit',
    'RescaleIntercept',
    'RescaleSlope',
    'RescaleType',
    'SharedFunctionalGroupsSequence',
    'PerFrameFunctionalGroupsSequence',
]
_MACROS = (
    'PlanePositionSequence',
    'PlaneOrientationSequence',
    'PixelMeasuresSequence',
    'PixelValueTransformationSequence',
)
ABSENT = 'absent'
_DECIMAL = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')


class Header:
    """Checked access to the header fields of one file or frame.

    Args:
        name: Name of the file, for errors.
        dataset: Its fields as pydicom reads them.
    """

    def __init__(self, name: str, dataset: Dataset) -> None:
        self.name = name
        self.dataset = dataset

    def text(self, field: str) -> str:
        """Read a field as text; '' if it is absent or empty.

        Raises:
            ScanError: If the file gives the field another type than the standard does.
        """
        return self._raw(field)[0].decode('ascii', 'replace').strip(' \0')

    def decimals(self, field: str, count: int) -> list[float]:
        """Read ``count`` finite numbers from a decimal or integer string.

        Raises:
            ScanError: If there are more or fewer values, or one is no finite number.
        """
        parts = [part.strip() for part in self.text(field).split('\\')]
        values = [float(part) if _DECIMAL.fullmatch(part) else math.nan for part in parts]
        if len(values) != count or not all(map(math.isfinite, values)):
            raise self.error(field, self.text(field) or ABSENT, f'{count} finite number(s)')
        return values

    def integer(self, field: str, signed: bool = False) -> int:
        """Read a binary 16-bit integer.

        Raises:
            ScanError: If the field is absent or has another length.
        """
        value, little_endian = self._raw(field)
        if len(value) != 2:
            raise self.error(field, value.hex() or ABSENT, 'one 16-bit integer')
        return unpack(('<' if little_endian else '>') + ('h' if signed else 'H'), value)[0]

    def raw_values(self) -> tuple[tuple[int, bytes], ...]:
        """The bytes of every field that is no sequence, to compare two headers."""
        elements = (self.dataset.get_item(tag, keep_deferred=True) for tag in self.dataset.keys())
        return tuple(
            (int(element.tag), element.value or b'')
            for element in elements
            if isinstance(element, RawDataElement) and element.VR != 'SQ'
        )

    def error(self, field: str, value: object, wanted: str) -> ScanError:
        """The error for a field with a wrong value."""
        known = isinstance(value, int | float | list | tuple) or value == ABSENT
        shown = value if known else repr(str(value)[:60])
        return ScanError(f'{self.name}: {field} is {shown}, must be {wanted}', 'export it again')

    def _raw(self, field: str) -> tuple[bytes, bool]:
        """The bytes of a field, b'' if it is absent, and whether they are little-endian."""
        element = self.dataset.get_item(field, keep_deferred=True)
        if element is None:
            return b'', True
        wanted = dictionary_VR(field)
        types = (None, 'UN', *wanted.split(' or '))
        if not isinstance(element, RawDataElement) or element.VR not in types:
            raise self.error(field, f'of type {element.VR}', f'of type {wanted}')
        return element.value or b'', element.is_little_endian


def frame_count(header: Header) -> int:
    """Read how many slices a file holds, according to its header.

    Raises:
        ScanError: If NumberOfFrames is no whole number above 0.
    """
    count = header.decimals('NumberOfFrames', 1)[0] if header.text('NumberOfFrames') else 1.0
    if count < 1 or not count.is_integer():
        raise header.error('NumberOfFrames', count, 'a whole number above 0')
    return int(count)


def frame_headers(header: Header) -> list[Header]:
    """One flat header per slice: of an enhanced file one per frame, else the header itself.

    Raises:
        ScanError: If a file with several frames does not describe each of them.
    """
    if 'PerFrameFunctionalGroupsSequence' in header.dataset:
        shared = _items(header, header.dataset, 'SharedFunctionalGroupsSequence')
        frames = _items(header, header.dataset, 'PerFrameFunctionalGroupsSequence')
        headers = [Header(header.name, _flat(header, [*shared, frame])) for frame in frames]
    else:
        headers = [header]
    if (count := frame_count(header)) != len(headers):
        raise header.error('NumberOfFrames', count, f'{len(headers)}, as many as are described')
    return headers


def _flat(header: Header, groups: list[Dataset]) -> Dataset:
    items = [item for group in groups for macro in _MACROS for item in _items(header, group, macro)]
    return _raw_copy(header.dataset, *items)


def _raw_copy(*datasets: Dataset) -> Dataset:
    return Dataset({tag: source.get_item(tag) for source in datasets for tag in source.keys()})


def _items(header: Header, group: Dataset, sequence: str) -> list[Dataset]:
    if sequence not in group:
        return []
    if (kind := group.get_item(sequence).VR) not in (None, 'UN', 'SQ'):
        raise header.error(sequence, f'of type {kind}', 'of type SQ')
    try:
        return list(_raw_copy(group)[sequence].value)  # pydicom converts neighbours on the way
    except Exception as error:  # a damaged file can raise anything
        raise header.error(sequence, error, 'a sequence') from error
