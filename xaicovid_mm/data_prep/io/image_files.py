"""Read grey 8-bit image files as stacks of slices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.io import imread

from ...utils.errors import ScanError, TableError


def read_stack(base: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    """Read the images that the rows of a slice table name.

    Args:
        base: Folder that the paths start from.
        rows: Rows of one case, with the column 'image'.

    Returns:
        uint8 (Z, H, W), in the order of the rows.

    Raises:
        ScanError: If a file is not a grey 8-bit image, or the images differ in size.
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
    """Read the masks that a column of the rows names.

    Args:
        base: Folder that the paths start from.
        rows: Rows of one case.
        column: 'infection' or 'lung'.
        shape: (Z, H, W) of the images.

    Returns:
        bool (Z, H, W); None if the column is empty.

    Raises:
        TableError: If only some of the rows name a mask.
        ScanError: If a file is not a grey 8-bit image, or has another size than its image.
    """
    count = sum(bool(row[column]) for row in rows)
    if not count:
        return None
    if count != len(rows):
        raise TableError(
            f'case {rows[0]["case"]!r}: {count} of {len(rows)} slices have a {column} mask',
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
            f'{path} is {image.dtype} {image.shape}, a grey 8-bit image (H, W) is expected',
            'convert it to grey 8 bit, or give the scan as NIfTI or DICOM',
        )
    return image
