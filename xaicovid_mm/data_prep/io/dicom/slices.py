"""Read one slice of a DICOM series: its position from the header, its pixels in HU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array

from ....utils.errors import ScanError
from ..limits import MAX_SIDE
from .files import DicomFile
from .header import Header, frame_count, frame_headers
from .jpeg import check_jpeg
from .jpeg_2000 import check_jpeg_2000
from .rle import check_rle

_CHECKS = {'gdcm': check_jpeg, 'pylibjpeg': check_jpeg_2000, 'pydicom': check_rle}
PADDING_HU = -1024
"""HU that pixels outside of the field of view get."""
MAX_PADDING_HU = -900
"""Padding above this could be tissue."""


@dataclass(frozen=True, eq=False)
class DicomSlice:
    """A slice whose header is checked and whose pixels are not read yet.

    Attributes:
        file: The file that holds it.
        header: Header of this slice.
        frame: Index in a multi-frame file, else 0.
        size: (rows, columns).
        spacing: mm (between rows, between columns).
        cosines: (2, 3): directions in which the column index and the row index grow (LPS).
        position: (3,): mm (LPS) of the first pixel's centre.
        scale: (slope, intercept) to HU.
    """

    file: DicomFile
    header: Header
    frame: int
    size: tuple[int, int]
    spacing: tuple[float, float]
    cosines: np.ndarray
    position: np.ndarray
    scale: tuple[float, float]


def read_slices(file: DicomFile) -> list[DicomSlice]:
    """Read the slices of a file from its header.

    Raises:
        ScanError: If a field is absent, malformed, or not what a CT image in HU has.
    """
    return [_slice(file, header, i) for i, header in enumerate(frame_headers(file.header))]


def slice_hu(piece: DicomSlice, dataset: Dataset) -> np.ndarray:
    """Decode a slice.

    Args:
        piece: The slice.
        dataset: Header and pixels of its file, from ``piece.file.dataset``.

    Returns:
        HU float64 (rows, columns); padding is ``PADDING_HU``.

    Raises:
        ScanError: If pixels are missing or truncated, need more bits than the header states, or
            are no HU.
    """
    stored = _stored(piece, dataset)
    slope, intercept = piece.scale
    with np.errstate(over='ignore'):
        hu = stored * slope + intercept
    padded = _padding(piece.header, stored)
    if padded.any() and (highest := hu[padded].max()) > MAX_PADDING_HU:
        raise piece.header.error(
            'PixelPaddingValue',
            f'{highest} HU',
            f'below {MAX_PADDING_HU} HU, apart from all tissue',
        )
    hu[padded] = PADDING_HU
    if not (hu.min() >= -32768 and hu.max() <= 32767):
        raise piece.header.error('RescaleSlope', slope, 'one that keeps HU within 16 bits')
    return hu


def _slice(file: DicomFile, header: Header, frame: int) -> DicomSlice:
    _check_pixels(header)
    rows, columns = header.integer('Rows'), header.integer('Columns')
    for field, value in (('Rows', rows), ('Columns', columns)):
        if not 2 <= value <= MAX_SIDE:
            raise header.error(field, value, f'from 2 to {MAX_SIDE}')
    down, across = header.decimals('PixelSpacing', 2)
    if not (0.01 <= down <= 10 and 0.01 <= across <= 10):
        raise header.error('PixelSpacing', [down, across], 'from 0.01 to 10 mm')
    slope, intercept = (header.decimals(f'Rescale{f}', 1)[0] for f in ('Slope', 'Intercept'))
    if slope == 0:
        raise header.error('RescaleSlope', slope, 'other than 0')
    if header.text('RescaleType') not in ('', 'HU', 'US'):  # US: unspecified
        raise header.error('RescaleType', header.text('RescaleType'), 'HU')
    position = np.array(header.decimals('ImagePositionPatient', 3))
    if np.abs(position).max() > 1e5:
        raise header.error('ImagePositionPatient', position.tolist(), 'within 100 m')
    return DicomSlice(
        file=file,
        header=header,
        frame=frame,
        size=(rows, columns),
        spacing=(down, across),
        cosines=_cosines(header),
        position=position,
        scale=(slope, intercept),
    )


def _check_pixels(header: Header) -> None:
    """Check what the standard demands of a CT image (PS3.3, C.8.2.1)."""
    stored = header.integer('BitsStored')
    allowed = {
        'SamplesPerPixel': (1,),
        'BitsAllocated': (16,),
        'BitsStored': range(8, 17),
        'HighBit': (stored - 1,),
        'PixelRepresentation': (0, 1),
    }
    for field, values in allowed.items():
        if (value := header.integer(field)) not in values:
            raise header.error(field, value, ' or '.join(map(str, values)))
    if (colour := header.text('PhotometricInterpretation')) not in ('MONOCHROME1', 'MONOCHROME2'):
        raise header.error('PhotometricInterpretation', colour, 'MONOCHROME1 or MONOCHROME2')


def _cosines(header: Header) -> np.ndarray:
    cosines = np.array(header.decimals('ImageOrientationPatient', 6)).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > 1e-3:
        raise header.error(
            'ImageOrientationPatient', cosines.ravel().tolist(), 'two unit vectors at right angles'
        )
    return cosines / np.linalg.norm(cosines, axis=1, keepdims=True)


def _stored(piece: DicomSlice, dataset: Dataset) -> np.ndarray:
    """Pixel values int32 as stored, checked against the size and bits that the header states."""
    header = piece.header
    try:
        stored = _decoded(piece, dataset).astype(np.int32)
    except ValueError as error:
        raise ScanError(
            f'{header.name}: PixelData cannot be decoded ({error})', 'export it again'
        ) from error
    bits, signed = header.integer('BitsStored'), header.integer('PixelRepresentation') == 1
    if signed:
        stored[stored >= 1 << bits - 1] -= 1 << bits  # unused bits may be 0 or repeat the sign
    low = -(1 << bits - 1) if signed else 0
    if stored.min() < low or stored.max() >= low + (1 << bits):
        extremes = f'from {stored.min()} to {stored.max()}'
        raise header.error('PixelData', extremes, f'within the {bits} bits of BitsStored')
    return stored


def _decoded(piece: DicomSlice, dataset: Dataset) -> np.ndarray:
    if 'PixelData' not in dataset:
        raise ValueError('absent')
    decoder, count = piece.file.decoder, frame_count(piece.file.header)
    length = count * piece.size[0] * piece.size[1] * 2
    if decoder:
        code = _foreign(get_frame, dataset.PixelData, piece.frame, number_of_frames=count)
        _CHECKS[decoder](code, piece.size)
    elif len(dataset.PixelData) != length:
        raise ValueError(f'{len(dataset.PixelData)} bytes for {length}')
    pixels = _foreign(
        pixel_array,
        dataset,
        index=piece.frame,
        decoding_plugin=decoder,
        correct_unused_bits=False,
    )
    if pixels.shape != piece.size:
        raise ValueError(f'{pixels.shape} for {piece.size}')
    return pixels


def _foreign(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function of a library. Its error goes into quotes: it may hold text of the file."""
    try:
        return function(*args, **options)
    except Exception as error:  # a damaged file can raise anything
        raise ValueError(repr(str(error)[:100])) from error


def _padding(header: Header, stored: np.ndarray) -> np.ndarray:
    """bool (rows, columns): pixels outside of the field of view (PS3.3, C.7.5.1.1.2)."""
    if not header.dataset.get_item('PixelPaddingValue'):
        return np.zeros(stored.shape, bool)
    signed = header.integer('PixelRepresentation') == 1
    first = last = header.integer('PixelPaddingValue', signed)
    if header.text('PixelPaddingRangeLimit'):
        last = header.integer('PixelPaddingRangeLimit', signed)
    return (stored >= min(first, last)) & (stored <= max(first, last))
