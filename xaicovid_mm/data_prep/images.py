"""Image files by a slice table into a slice store."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from skimage.exposure import equalize_adapthist
from skimage.io import imread

from .case_table import read_table
from .files import file_sha256
from .slice_grid import SliceGrid, lung_square
from .store import CLASSES, StoreError
from .store_writer import StoreWriter

COLUMNS = ('case', 'patient', 'slice', 'image', 'infection', 'lung', 'label', 'site')
Progress = Callable[[list[str]], Iterable[str]]


def prepare_images(
    table: str | Path,
    root: str | Path,
    size: int = 224,
    crop_lung: float | None = None,
    clahe_sites: tuple[str, ...] = (),
    min_lung_px: int = 200,
    progress: Progress = iter,
    clahe_clip: float = 0.01,
) -> None:
    """Turn 8-bit image files into a slice store of display values.

    Args:
        table: CSV with ``COLUMNS``; paths relative to the table; infection, lung, label may be
            empty; label is a class name.
        root: Folder of the store.
        size: H = W of the stored slices.
        crop_lung: Crop each case to the square around its lungs, this share larger on each side;
            None keeps the whole field of view. It puts sources of different field of view on
            about the same scale.
        clahe_sites: Sites whose slices are contrast-equalised, to match a source that already is.
        min_lung_px: Slices with less lung in the input are left out, and listed in the notes.
        progress: Wraps the case names, to show a bar.
        clahe_clip: Clip limit of that, in (0, 1]; more gives more contrast.

    Raises:
        StoreError: For a missing column or file, a class that does not exist, a mask of another
            size, colour images, or a case whose slices disagree.
    """
    rows = read_table(table, COLUMNS)
    writer = StoreWriter(
        root,
        (size, size),
        'display',
        dict(
            kind='images',
            size=size,
            crop_lung=crop_lung,
            clahe_sites=list(clahe_sites),
            clahe_clip=clahe_clip if clahe_sites else None,
            min_lung_px=min_lung_px,
        ),
    )
    if strangers := sorted(set(clahe_sites) - {row['site'] for row in rows}):
        raise StoreError(f'{table} has no site {strangers}: --clahe-sites must name its sites')
    by_case: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_case.setdefault(row['case'], []).append(row)
    for name in progress(list(by_case)):
        first = by_case[name][0]
        clip = clahe_clip if first['site'] in clahe_sites else None
        _add(writer, name, by_case[name], Path(table).parent, crop_lung, clip, min_lung_px)
    writer.close()


def _add(
    writer: StoreWriter,
    name: str,
    rows: list[dict[str, str]],
    base: Path,
    crop_lung: float | None,
    clahe_clip: float | None,
    min_lung_px: int,
) -> None:
    first = _agreed(name, rows)
    rows = sorted(rows, key=lambda row: int(row['slice']))
    image = _stack(base, rows)
    lung = _masks(base, rows, 'lung', image.shape)
    if crop_lung is not None and lung is None:
        raise StoreError(f'case {name!r} has no lung masks: give them, or leave out --crop-lung')
    infection = _masks(base, rows, 'infection', image.shape)
    kept: np.ndarray = np.arange(len(rows))
    notes = []
    if lung is not None:
        if infection is not None:
            lung = lung | infection
        kept = np.flatnonzero(lung.sum((1, 2)) >= min_lung_px)
        dropped = sorted(set(range(len(rows))) - set(kept.tolist()))
        notes = [f'slice {rows[i]["slice"]} left out: lung below {min_lung_px} px' for i in dropped]
        if not len(kept):
            raise StoreError(f'case {name!r}: no slice has {min_lung_px} px of lung')
    if clahe_clip is not None:
        image = np.stack(
            [np.rint(255 * equalize_adapthist(x, clip_limit=clahe_clip)) for x in image]
        )
        notes.append(f'contrast-equalised (CLAHE, clip limit {clahe_clip})')
    grid = _grid(image.shape, writer.size, lung, crop_lung)
    writer.add_case(
        name,
        first['patient'],
        first['site'],
        grid.cut(image, smooth=True)[kept],
        label=CLASSES.index(first['label']) if first['label'] else None,
        lung=None if lung is None else grid.cut(lung)[kept] > 0.5,
        infection=None if infection is None else grid.cut(infection)[kept] > 0.5,
        planes=kept,
        grid=grid,
        source_slices=[int(rows[i]['slice']) for i in kept],
        original_shape=image.shape,
        source=Path(first['image']).name,
        sha256=[
            file_sha256(base / row[k])
            for row in rows
            for k in ('image', 'infection', 'lung')
            if row[k]
        ],
        notes=notes,
    )


def _grid(
    shape: tuple[int, ...], size: tuple[int, int], lung: np.ndarray | None, margin: float | None
) -> SliceGrid:
    """The whole slices, or the square of the lungs."""
    low, high = np.zeros(2), np.array(shape[1:], float)
    if lung is not None and margin is not None:
        low, high = lung_square(lung, margin)
    return SliceGrid.of_box((0, *low), (shape[0], *high), (shape[0], *size))


def _stack(base: Path, rows: list[dict[str, str]]) -> np.ndarray:
    images = [_read(base / row['image']) for row in rows]
    for row, image in zip(rows, images, strict=True):
        if image.shape != images[0].shape:
            raise StoreError(
                f'{row["image"]} is {image.shape}, {rows[0]["image"]} of the same case is '
                f'{images[0].shape}: make a case of each size'
            )
    return np.stack(images)


def _masks(
    base: Path, rows: list[dict[str, str]], column: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    given = [row for row in rows if row[column]]
    if not given:
        return None
    if len(given) != len(rows):
        raise StoreError(
            f'case {rows[0]["case"]!r}: {len(given)} of {len(rows)} slices have a {column} mask: '
            'give all or none, or split the case'
        )
    masks = [_read(base / row[column]) > 0 for row in rows]
    for row, mask in zip(rows, masks, strict=True):
        if mask.shape != shape[1:]:
            raise StoreError(
                f'{row[column]} is {mask.shape}, {row["image"]} is {shape[1:]}: give a mask of the '
                "slice's size"
            )
    return np.stack(masks)


def _read(path: Path) -> np.ndarray:
    try:
        image = imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise StoreError(f'{path} cannot be read as an image ({error})') from error
    if image.ndim == 3 and (image[..., :1] == image[..., :3]).all():
        image = image[..., 0]
    if image.ndim != 2 or image.dtype not in (np.uint8, bool):
        raise StoreError(
            f'{path} is {image.dtype} {image.shape}: this command takes grey 8-bit images; volumes '
            'in HU go through `tools/prepare_data.py volumes`'
        )
    return image


def _agreed(name: str, rows: list[dict[str, str]]) -> dict[str, str]:
    for column in ('patient', 'label', 'site'):
        values = sorted({row[column] for row in rows})
        if len(values) > 1:
            raise StoreError(f'case {name!r} has several values of {column}: {values}')
    numbers = [row['slice'] for row in rows]
    if odd := sorted({n for n in numbers if not n.isdigit() or numbers.count(n) > 1}):
        raise StoreError(
            f'case {name!r}: slices {odd} are given twice or are no whole numbers: number them'
        )
    return rows[0]
