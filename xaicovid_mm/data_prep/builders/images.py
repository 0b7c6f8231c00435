"""Image files by a slice table into a slice store."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...classes import CLASSES
from ...utils.errors import ScanError, TableError
from ..case_table import SLICE_COLUMNS, read_table
from ..io.image_files import read_masks, read_stack
from ..slicing.grid import SliceGrid, lung_square
from ..slicing.windowing import equalize_contrast
from ..store.writer import StoreCase, StoreWriter
from .case_builder import CaseBuilder, Rows, build_store

Progress = Callable[[Sequence[Rows]], Iterable[Rows]]


def prepare_images(
    table: str | Path,
    root: str | Path,
    size: int = 224,
    crop_lung: float | None = None,
    clahe_sites: tuple[str, ...] = (),
    min_lung_px: int = 200,
    progress: Progress = iter,
    clahe_clip: float = 0.01,
    workers: int = 1,
) -> None:
    """Turn 8-bit image files into a slice store of display values.

    A case that an earlier run finished from the same files with the same parameters is taken over,
    so a run that was stopped goes on where it was.

    Args:
        table: CSV with ``SLICE_COLUMNS``; paths relative to the table; infection, lung, label may be
            empty; label is a class name.
        root: Folder of the store.
        size: H = W of the stored slices.
        crop_lung: Crop each case to the square around its lungs, this share larger on each side;
            None keeps the whole field of view. It puts sources of different field of view on
            about the same scale.
        clahe_sites: Sites whose slices are contrast-equalised, to match a source that already is.
        min_lung_px: Slices with less lung in the input are left out, and listed in the notes.
        progress: Wraps the cases, to show a bar.
        clahe_clip: Clip limit of that, in (0, 1]; more gives more contrast.
        workers: Processes that read; the store is the same for any number.

    Raises:
        TableError: For a missing column or file, a class that does not exist, or a case whose
            slices disagree.
        ScanError: For a mask of another size or colour images.
    """
    rows = read_table(table, SLICE_COLUMNS)
    if strangers := sorted(set(clahe_sites) - {row['site'] for row in rows}):
        raise TableError(f'{table} has no site {strangers}', '--clahe-sites must name its sites')
    clip = clahe_clip if clahe_sites else None
    builder = _ImageBuilder(
        Path(table).parent, Path(root), size, crop_lung, clahe_sites, clip, min_lung_px
    )
    writer = StoreWriter(root, (size, size), 'display', dict(kind='images', **builder.recipe()))
    by_case: dict[str, Rows] = {}
    for row in rows:
        by_case[row['case']] = [*by_case.get(row['case'], ()), row]
    build_store(writer, builder, list(by_case.values()), progress, workers)


@dataclass(frozen=True)
class _ImageBuilder(CaseBuilder):
    size: int
    crop_lung: float | None
    clahe_sites: tuple[str, ...]
    clahe_clip: float | None
    min_lung_px: int

    def recipe(self) -> dict[str, Any]:
        return dict(
            size=self.size,
            crop_lung=self.crop_lung,
            clahe_sites=self.clahe_sites,
            clahe_clip=self.clahe_clip,
            min_lung_px=self.min_lung_px,
        )

    def order(self, rows: Rows) -> Rows:
        _check_agreement(rows[0]['case'], rows)
        return sorted(rows, key=lambda row: int(row['slice']))

    def build(self, rows: Rows, sha256: list[str], key: str) -> StoreCase:
        first, name = rows[0], rows[0]['case']
        image = read_stack(self.base, rows)
        lung = read_masks(self.base, rows, 'lung', image.shape)
        if self.crop_lung is not None and lung is None:
            raise ScanError(f'case {name!r} has no lung masks', 'give them, or drop --crop-lung')
        infection = read_masks(self.base, rows, 'infection', image.shape)
        if lung is not None and infection is not None:
            lung = lung | infection
        kept, notes = self._kept(name, rows, lung)
        if first['site'] in self.clahe_sites and self.clahe_clip is not None:
            image = np.rint(255 * equalize_contrast(image, self.clahe_clip))
            notes.append(f'contrast-equalised (CLAHE, clip limit {self.clahe_clip})')
        grid = self._grid(image.shape, lung)
        return StoreCase(
            name=name,
            patient=first['patient'],
            site=first['site'],
            image=grid.cut(image, smooth=True)[kept],
            label=CLASSES.index(first['label']) if first['label'] else None,
            lung=None if lung is None else grid.cut(lung)[kept] > 0.5,
            infection=None if infection is None else grid.cut(infection)[kept] > 0.5,
            planes=kept,
            grid=grid,
            source_slices=[int(rows[i]['slice']) for i in kept],
            original_shape=image.shape,
            source=Path(first['image']).name,
            sha256=sha256,
            notes=notes,
            key=key,
        )

    def _kept(self, name: str, rows: Rows, lung: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
        """Slices with enough lung, and a note on each of the others."""
        if lung is None:
            return np.arange(len(rows)), []
        enough = lung.sum((1, 2)) >= self.min_lung_px
        if not enough.any():
            raise ScanError(
                f'case {name!r}: no slice has {self.min_lung_px} px of lung',
                'look at its lung masks, or lower --min-lung-px',
            )
        dropped = [rows[i]['slice'] for i in np.flatnonzero(~enough)]
        notes = [f'slice {number} left out: lung below {self.min_lung_px} px' for number in dropped]
        return np.flatnonzero(enough), notes

    def _grid(self, shape: tuple[int, ...], lung: np.ndarray | None) -> SliceGrid:
        """The whole slices, or the square of the lungs."""
        low, high = np.zeros(2), np.array(shape[1:], float)
        if lung is not None and self.crop_lung is not None:
            low, high = lung_square(lung, self.crop_lung)
        planes = shape[0]
        return SliceGrid.of_box((0, *low), (planes, *high), (planes, self.size, self.size))


def _check_agreement(name: str, rows: Rows) -> None:
    for column in ('patient', 'label', 'site'):
        values = sorted({row[column] for row in rows})
        if len(values) > 1:
            raise TableError(
                f'case {name!r} has several values of {column}: {values}', 'give one a case'
            )
    numbers = [row['slice'] for row in rows]
    if odd := sorted({n for n in numbers if not n.isdigit() or numbers.count(n) > 1}):
        raise TableError(
            f'case {name!r}: slices {odd} are given twice or are no whole numbers', 'number them'
        )
