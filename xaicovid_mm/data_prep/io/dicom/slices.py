"""One slice of a DICOM series: where it lies, and its pixels in HU."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array

from ....utils.errors import ScanError
from .files import DicomFile
from .header import Header, frame_count, frame_headers
from .jpeg import check_jpeg

AIR = -1024
"""HU of pixels outside the field of view."""


@dataclass(frozen=True, eq=False)
class DicomSlice:
    """A slice, checked; its pixels are still in the file.

    Attributes:
        file: Which holds it.
        header: Of this slice.
        frame: Index in a multi-frame file, else 0.
        size: (rows, columns).
        spacing: (between rows, between columns), mm.
        cosines: (2, 3), direction of the columns' index and of the rows' index (LPS).
        position: (3,), mm (LPS), of the first pixel.
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
    """The slices of a file, as its header describes them.

    Raises:
        ScanError: For a field that is absent, garbage, or not what a CT in HU has.
    """
    return [_slice(file, header, i) for i, header in enumerate(frame_headers(file.header))]


def slice_hu(piece: DicomSlice, dataset: Dataset) -> np.ndarray:
    """HU (rows, columns) of a slice in float64; padding becomes ``AIR``.

    Args:
        piece: The slice.
        dataset: What ``piece.file.dataset()`` gave.

    Raises:
        ScanError: If pixels are missing, truncated, wider than they say, or no HU.
    """
    stored = _stored(piece, dataset)
    slope, intercept = piece.scale
    with np.errstate(over='ignore'):
        hu = stored * slope + intercept
    padded = _padding(piece.header, stored)
    if padded.any() and (found := hu[padded].max()) > -900:
        raise piece.header.error(
            'PixelPaddingValue', f'{found} HU', 'below -900 HU, apart from all tissue'
        )
    hu[padded] = AIR
    if not (hu.min() >= -32768 and hu.max() <= 32767):
        raise piece.header.error('RescaleSlope', slope, 'one that keeps HU within 16 bits')
    return hu


def _slice(file: DicomFile, header: Header, frame: int) -> DicomSlice:
    _check_pixels(header)
    rows, columns = header.integer('Rows'), header.integer('Columns')
    for field, value in (('Rows', rows), ('Columns', columns)):
        if value < 2:
            raise header.error(field, value, 'at least 2')
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
    size, spacing, scale = (rows, columns), (down, across), (slope, intercept)
    return DicomSlice(file, header, frame, size, spacing, _cosines(header), position, scale)


def _check_pixels(header: Header) -> None:
    """What the standard demands of a CT image (PS3.3, C.8.2.1)."""
    stored = header.integer('BitsStored')
    wanted = {
        'SamplesPerPixel': (1,),
        'BitsAllocated': (16,),
        'BitsStored': range(8, 17),
        'HighBit': (stored - 1,),
        'PixelRepresentation': (0, 1),
    }
    for field, good in wanted.items():
        if (value := header.integer(field)) not in good:
            raise header.error(field, value, ' or '.join(map(str, good)))
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
    """Pixel values as stored, checked against the size and bits that the header gives."""
    header = piece.header
    try:
        stored = _decoded(piece, dataset).astype(np.int32)
    except Exception as error:  # whatever the garbage trips over
        raise ScanError(
            f'{header.name}: PixelData cannot be decoded ({str(error):.100})',
            'export it again',
        ) from error
    bits, signed = header.integer('BitsStored'), header.integer('PixelRepresentation') == 1
    if signed:
        stored[stored >= 1 << bits - 1] -= 1 << bits  # unused bits may be 0 or the sign
    low = -(1 << bits - 1) if signed else 0
    if stored.min() < low or stored.max() >= low + (1 << bits):
        found = f'from {stored.min()} to {stored.max()}'
        raise header.error('PixelData', found, f'within the {bits} bits of BitsStored')
    return stored


def _decoded(piece: DicomSlice, dataset: Dataset) -> np.ndarray:
    if 'PixelData' not in dataset:
        raise ValueError('absent')
    count = frame_count(piece.file.header)
    if piece.file.decoder == 'gdcm':
        check_jpeg(get_frame(dataset.PixelData, piece.frame, number_of_frames=count), piece.size)
    wanted = count * piece.size[0] * piece.size[1] * 2
    if not piece.file.decoder and len(dataset.PixelData) != wanted:
        raise ValueError(f'{len(dataset.PixelData)} bytes for {wanted}')
    pixels = pixel_array(
        dataset,
        index=piece.frame,
        decoding_plugin=piece.file.decoder,
        correct_unused_bits=False,
    )
    if pixels.shape != piece.size:
        raise ValueError(f'{pixels.shape} for {piece.size}')
    return pixels


def _padding(header: Header, stored: np.ndarray) -> np.ndarray:
    """Where pixels lie outside the field of view (PS3.3, C.7.5.1.1.2)."""
    if not header.dataset.get_item('PixelPaddingValue'):
        return np.zeros(stored.shape, bool)
    signed = header.integer('PixelRepresentation') == 1
    first = last = header.integer('PixelPaddingValue', signed)
    if header.text('PixelPaddingRangeLimit'):
        last = header.integer('PixelPaddingRangeLimit', signed)
    return (stored >= min(first, last)) & (stored <= max(first, last))
