"""Read grey 8-bit image files as stacks of slices."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from ...utils.errors import ScanError, TableError
from .limits import MAX_SIDE, check_bytes

FORMATS = ('PNG', 'JPEG', 'TIFF', 'BMP', 'GIF', 'PPM', 'WEBP')
CONVERTED = {'P': 'RGB', 'LA': 'L', 'PA': 'RGB', 'RGBA': 'RGB'}
"""What a mode becomes: colours of a palette, and pixels without their opacity if all are opaque."""
UPRIGHT = 1
"""Value of the EXIF tag Orientation of an image that is shown as it is stored."""


def read_stack(base: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    """Read the images that the rows of a slice table name.

    Args:
        base: Folder that the paths start from.
        rows: Rows of one case, with the column 'image'.

    Returns:
        uint8 (Z, H, W), in the order of the rows.

    Raises:
        ScanError: If a file is not a grey 8-bit image, or the images differ in size or are too
            many for the memory.
    """
    images: list[np.ndarray] = []
    for row in rows:
        image = _read(base / row['image'])
        images.append(image)
        check_bytes(base / row['image'], 2 * len(rows) * image.size)
        if image.shape != images[0].shape:
            raise ScanError(
                f'{base / row["image"]} is {image.shape}, {rows[0]["image"]!r} of the same case is '
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
        column: 'infection', 'lung' or 'cause'; a table may lack the last one.
        shape: (Z, H, W) of the images.

    Returns:
        (Z, H, W), values as read; None if the column is empty.

    Raises:
        TableError: If only some of the rows name a mask.
        ScanError: If a file is not a grey 8-bit image, or has another size than its image.
    """
    count = sum(bool(row.get(column)) for row in rows)
    if not count:
        return None
    if count != len(rows):
        raise TableError(
            f'case {rows[0]["case"]!r}: {count} of {len(rows)} slices have a mask in the column '
            f'{column}',
            'give all or none, or split the case',
        )
    masks = [_read(base / row[column]) for row in rows]
    for row, mask in zip(rows, masks, strict=True):
        if mask.shape != shape[1:]:
            raise ScanError(
                f'{base / row[column]} is {mask.shape}, {row["image"]!r} is {shape[1:]}',
                "give a mask of the slice's size",
            )
    return np.stack(masks)


def _read(path: Path) -> np.ndarray:
    """Read an image, uint8 or bool (H, W). Its size is checked before its pixels are unpacked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                _check_size(path, image)
                _check_shown_as_stored(path, image)
                pixels = np.asarray(image.convert(CONVERTED.get(image.mode, image.mode)))
    except (ScanError, MemoryError):
        raise
    except Exception as error:  # PIL raises whatever a broken file makes it stumble over
        raise ScanError(
            f'{path} cannot be read as an image ({str(error)!r})', 'export it again'
        ) from error
    if pixels.ndim == 3 and (pixels[..., :1] == pixels[..., :3]).all():
        pixels = pixels[..., 0]
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, bool):
        raise ScanError(
            f'{path} is {pixels.dtype} {pixels.shape}, a grey 8-bit image (H, W) is expected',
            'convert it to grey 8 bit, or give the scan as NIfTI or DICOM',
        )
    return pixels


def _check_shown_as_stored(path: Path, image: Image.Image) -> None:
    """Refuse a file whose viewers show another image than its grey values are."""
    if image.mode == 'CMYK':
        raise ScanError(f'{path} holds four inks (CMYK), no grey', 'convert it to grey 8 bit')
    if (turned := image.getexif().get(Base.Orientation, UPRIGHT)) != UPRIGHT:
        raise ScanError(
            f'{path} has the EXIF orientation {turned}: viewers turn it, a mask would not fit',
            'save it upright, without EXIF',
        )
    if image.has_transparency_data and np.asarray(image.convert('RGBA'))[..., 3].min() < 255:
        raise ScanError(f'{path} has transparent pixels', 'save it without an alpha channel')


def _check_size(path: Path, image: Image.Image) -> None:
    if max(image.size) > MAX_SIDE:
        raise ScanError(
            f'{path} has {image.size[0]} x {image.size[1]} pixels, a slice has at most '
            f'{MAX_SIDE} x {MAX_SIDE}',
            'give the slices of a scan',
        )
    if (frames := getattr(image, 'n_frames', 1)) > 1:
        raise ScanError(f'{path} holds {frames} images', 'give a file for each slice')
