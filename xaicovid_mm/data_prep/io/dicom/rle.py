"""Check the length of an RLE frame before it is decoded."""


def check_rle(code: bytes, size: tuple[int, int]) -> None:
    """Refuse an RLE frame that is longer than the worst packing of its pixels.

    Two bytes may stand for 128, so a frame without this limit could ask for any memory.

    Args:
        code: The compressed frame.
        size: (rows, columns) that it must have, of 16 bits.

    Raises:
        ValueError: If it is too long.
    """
    pixels = size[0] * size[1] * 2
    longest = 64 + 2 * (pixels + pixels // 64 + size[0])  # header, and literal runs of each row
    if len(code) > longest:
        raise ValueError(f'RLE of {len(code)} bytes for {pixels} bytes of pixels')
