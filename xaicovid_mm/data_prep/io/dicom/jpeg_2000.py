"""Check the headers of a JPEG 2000 image before openjpeg reserves memory for it.

A codestream of a few bytes can announce 2^32 rows, 65,535 tiles or precincts of one pixel.
"""

from collections.abc import Iterator

_START, _SIZE, _TILE, _DATA, _END = 0xFF4F, 0xFF51, 0xFF90, 0xFF93, 0xFFD9
_STYLE, _COMPONENT_STYLE = 0xFF52, 0xFF53
MAX_TILES = 4096
MAX_PRECINCTS = 16384
MAX_LAYERS = 1024
_BOX = b'\0\0\0\x0cjP  '


def check_jpeg_2000(code: bytes, size: tuple[int, int]) -> None:
    """Check the marker segments of a JPEG 2000 codestream (ISO/IEC 15444-1, annex A).

    Args:
        code: The compressed frame; it must have one component of 8 to 16 bits.
        size: (rows, columns) that it must have.

    Raises:
        ValueError: If a segment is cut, the size is another, or there are too many tiles, layers or
            precincts.
    """
    if code.startswith(_BOX):
        raise ValueError('JPEG 2000 in a file of boxes, where DICOM has the codestream alone')
    if code[:4] != b'\xff\x4f\xff\x51':
        raise ValueError('JPEG 2000 without a start marker')
    for marker, segment in _segments(code):
        if marker == _SIZE:
            _check_size(segment, size)
        elif marker in (_STYLE, _COMPONENT_STYLE):
            _check_style(marker, segment, size)


def _segments(code: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment of the main header and of the headers of all tiles."""
    at, tile_end = 2, 0
    while at + 4 <= len(code):
        marker, length = _number(code[at : at + 2]), _number(code[at + 2 : at + 4])
        if marker == _END:
            return
        if marker == _DATA:
            at = tile_end
            continue
        segment = code[at + 4 : at + 2 + length]
        if marker < _START or length < 2 or len(segment) != length - 2:
            raise ValueError(f'JPEG 2000 segment at byte {at} is damaged')
        if marker == _TILE:
            tile_bytes = _number(segment[2:6])  # 0: up to the end
            tile_end = at + tile_bytes if tile_bytes else len(code)
            if len(segment) != 8 or tile_end < at + 14:
                raise ValueError(f'JPEG 2000 tile at byte {at} is damaged')
        yield marker, segment
        at += 2 + length


def _check_size(segment: bytes, size: tuple[int, int]) -> None:
    if len(segment) != 39:  # that of one component
        raise ValueError(f'JPEG 2000 with a size segment of {len(segment)} bytes')
    right, bottom, left, top, width, height, tile_left, tile_top = (
        _number(segment[at : at + 4]) for at in range(2, 34, 4)
    )
    if (bottom - top, right - left) != size or left or top:
        raise ValueError(f'JPEG 2000 of {bottom - top} x {right - left} pixels')
    if tile_left or tile_top or not (width and height):
        raise ValueError('JPEG 2000 with tiles that do not begin at its corner')
    if -(-right // width) * -(-bottom // height) > MAX_TILES:
        raise ValueError(f'JPEG 2000 with tiles of {height} x {width} pixels')
    if not 7 <= segment[36] & 127 <= 15:
        raise ValueError(f'JPEG 2000 of {(segment[36] & 127) + 1} bits')


def _check_style(marker: int, segment: bytes, size: tuple[int, int]) -> None:
    """Check layers and precincts of a segment COD or COC."""
    start = 5 if marker == _STYLE else 2
    if len(segment) < start + 5:
        raise ValueError('JPEG 2000 with a coding style that is cut')
    if marker == _STYLE and _number(segment[2:4]) > MAX_LAYERS:
        raise ValueError(f'JPEG 2000 with {_number(segment[2:4])} layers')
    has_precincts = segment[0 if marker == _STYLE else 1] & 1
    exponents = segment[start + 5 :] if has_precincts else b''
    count = sum(-(-size[0] >> (e >> 4)) * -(-size[1] >> (e & 15)) for e in exponents)
    if count > MAX_PRECINCTS:
        raise ValueError(f'JPEG 2000 with {count} precincts')


def _number(code: bytes) -> int:
    return int.from_bytes(code, 'big')
