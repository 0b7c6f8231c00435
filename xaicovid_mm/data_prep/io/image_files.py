"""Grey 8-bit image files as stacks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.io import imread

from ...utils.errors import ScanError


def read_stack(base: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    """The images of the rows of a table, uint8 (Z, H, W).

    Raises:
        ScanError: For a file that is no grey 8-bit image, or images that differ in size.
    """
    images = [_read(base / row['image']) for row in rows]
    for row, image in zip(rows, images, strict=True):
        if image.shape != images[0].shape:
            raise ScanError(
                f'{row["image"]} is {image.shape}, {rows[0]["image"]} of the same case is '
                f'{images[0].shape}',
                'make a case of each size',
            )
    return np.stack(images)


def read_masks(
    base: Path, rows: Sequence[dict[str, str]], column: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    """The masks in a column of the rows, bool (Z, H, W); None if it is empty.

    Raises:
        ScanError: If only some rows have one, or one is not of the image's size.
    """
    given = [row for row in rows if row[column]]
    if not given:
        return None
    if len(given) != len(rows):
        raise ScanError(
            f'case {rows[0]["case"]!r}: {len(given)} of {len(rows)} slices have a {column} mask',
            'give all or none, or split the case',
        )
    masks = [_read(base / row[column]) > 0 for row in rows]
    for row, mask in zip(rows, masks, strict=True):
        if mask.shape != shape[1:]:
            raise ScanError(
                f'{row[column]} is {mask.shape}, {row["image"]} is {shape[1:]}',
                "give a mask of the slice's size",
            )
    return np.stack(masks)


def _read(path: Path) -> np.ndarray:
    try:
        image = imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise ScanError(
            f'{path} cannot be read as an image ({error})', 'export it again'
        ) from error
    if image.ndim == 3 and (image[..., :1] == image[..., :3]).all():
        image = image[..., 0]
    if image.ndim != 2 or image.dtype not in (np.uint8, bool):
        raise ScanError(
            f'{path} is {image.dtype} {image.shape}',
            'this command takes grey 8-bit images; volumes in HU go through '
            '`tools/prepare_data.py volumes`',
        )
    return image
