"""Check a JPEG's header before gdcm decodes it.

gdcm 3.2.6 ends the whole process at some damaged headers, and no ``except`` can stop that.
"""

_FRAME = (0xC3, 0xF7)  # lossless JPEG, JPEG-LS
_SCAN = 0xDA
_TABLES = (0xC4, 0xDB, 0xDD, 0xF8, 0xFE, *range(0xE0, 0xF0))  # ITU-T T.81, B.1.1.3; T.87


def check_jpeg(code: bytes, size: tuple[int, int]) -> None:
    """Check the segments of a lossless JPEG or JPEG-LS up to its samples.

    Args:
        code: The compressed frame; it must have one component of 8 to 16 bits.
        size: (rows, columns) that it must have.

    Raises:
        ValueError: If a segment is cut, unknown or in the wrong place, or the size is another.
    """
    if code[:2] != b'\xff\xd8':
        raise ValueError('JPEG without a start marker')
    frames, start = 0, 2
    while True:
        marker, segment, end = _segment(code, start)
        if marker in _FRAME:
            _check_frame(segment, size)
            frames += 1
        elif marker == _SCAN and frames == 1:
            return
        elif marker not in _TABLES:
            raise ValueError(f'JPEG marker {marker:#x} at byte {start}')
        start = end


def _segment(code: bytes, start: int) -> tuple[int, bytes, int]:
    end = start + 2 + int.from_bytes(code[start + 2 : start + 4], 'big')
    if code[start : start + 1] != b'\xff' or not start + 4 <= end <= len(code):
        raise ValueError(f'JPEG segment at byte {start} is damaged')
    return code[start + 1], code[start + 4 : end], end


def _check_frame(segment: bytes, size: tuple[int, int]) -> None:
    rows, columns = (int.from_bytes(segment[i : i + 2], 'big') for i in (1, 3))
    if (rows, columns) != size or len(segment) != 9 or not 8 <= segment[0] <= 16:
        raise ValueError(f'JPEG of {rows} x {columns}, frame header {segment[:9].hex()}')
