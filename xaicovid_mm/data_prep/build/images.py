"""Image files by a slice table into a slice store."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skimage.exposure import equalize_adapthist

from .case_folder import stored_case
from .case_table import read_table
from .files import file_sha256
from .image_files import read_masks, read_stack
from .slice_grid import SliceGrid, lung_square
from .store import CLASSES, VERSION, StoreError
from .store_writer import StoreWriter
from .workers import mapped

COLUMNS = ('case', 'patient', 'slice', 'image', 'infection', 'lung', 'label', 'site')
FILES = ('image', 'infection', 'lung')
Rows = list[dict[str, str]]
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
    workers: int = 1,
) -> None:
    """Turn 8-bit image files into a slice store of display values.

    A case that an earlier run finished from the same files with the same parameters is taken over,
    so a run that was stopped goes on where it was.

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
        workers: Processes that read; the store is the same for any number.

    Raises:
        StoreError: For a missing column or file, a class that does not exist, a mask of another
            size, colour images, or a case whose slices disagree.
    """
    rows = read_table(table, COLUMNS)
    if strangers := sorted(set(clahe_sites) - {row['site'] for row in rows}):
        raise StoreError(f'{table} has no site {strangers}: --clahe-sites must name its sites')
    clip = clahe_clip if clahe_sites else None
    recipe = _Recipe(size, crop_lung, clahe_sites, clip, min_lung_px)
    parameters = dict(kind='images', **asdict(recipe))
    writer = StoreWriter(root, (size, size), 'display', parameters)
    by_case: dict[str, Rows] = {}
    for row in rows:
        by_case.setdefault(row['case'], []).append(row)
    maker = _CaseMaker(Path(table).parent, Path(root), recipe)
    with mapped(maker, list(by_case.values()), workers) as cases:
        for _, case in zip(progress(list(by_case)), cases, strict=True):
            if 'image' in case or not writer.keep_case(**case):
                writer.add_case(**case)
    writer.close()


@dataclass
class _CaseMaker:
    """From the rows of a case to what ``StoreWriter`` takes, in any process."""

    base: Path
    root: Path
    recipe: '_Recipe'

    def __call__(self, rows: Rows) -> dict[str, Any]:
        """What ``add_case`` takes, or ``keep_case`` if the case lies there finished."""
        name = rows[0]['case']
        _check_agreement(name, rows)
        slices = sorted(rows, key=lambda row: int(row['slice']))
        sums = [file_sha256(self.base / row[k]) for row in slices for k in FILES if row[k]]
        key = _key(slices, sums, self.recipe)
        if stored_case(self.root / 'cases' / name, key):
            return dict(name=name, key=key)
        return dict(sha256=sums, key=key, **self.recipe.case(name, slices, self.base))


@dataclass(frozen=True)
class _Recipe:
    """How image files become slices, see ``prepare_images``."""

    size: int
    crop_lung: float | None
    clahe_sites: tuple[str, ...]
    clahe_clip: float | None
    min_lung_px: int

    def case(self, name: str, rows: Rows, base: Path) -> dict[str, Any]:
        """What ``StoreWriter.add_case`` takes."""
        first = rows[0]
        image = read_stack(base, rows)
        lung = read_masks(base, rows, 'lung', image.shape)
        if self.crop_lung is not None and lung is None:
            raise StoreError(f'case {name!r} has no lung masks: give them, or drop --crop-lung')
        infection = read_masks(base, rows, 'infection', image.shape)
        if lung is not None and infection is not None:
            lung = lung | infection
        kept, notes = self._kept(name, rows, lung)
        if first['site'] in self.clahe_sites and self.clahe_clip is not None:
            image = _equalised(image, self.clahe_clip)
            notes.append(f'contrast-equalised (CLAHE, clip limit {self.clahe_clip})')
        grid = self._grid(image.shape, lung)
        return dict(
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
            notes=notes,
        )

    def _kept(self, name: str, rows: Rows, lung: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
        """Slices with enough lung, and what is to be noted of the others."""
        if lung is None:
            return np.arange(len(rows)), []
        enough = lung.sum((1, 2)) >= self.min_lung_px
        if not enough.any():
            raise StoreError(f'case {name!r}: no slice has {self.min_lung_px} px of lung')
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


def _key(rows: Rows, sums: list[str], recipe: _Recipe) -> str:
    """What a case depends on."""
    said = [[row[column] for column in COLUMNS if column not in FILES] for row in rows]
    given = [[bool(row[column]) for column in FILES] for row in rows]
    everything = [VERSION, said, given, sums, asdict(recipe)]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def _equalised(image: np.ndarray, clip: float) -> np.ndarray:
    return np.stack([np.rint(255 * equalize_adapthist(x, clip_limit=clip)) for x in image])


def _check_agreement(name: str, rows: Rows) -> None:
    for column in ('patient', 'label', 'site'):
        values = sorted({row[column] for row in rows})
        if len(values) > 1:
            raise StoreError(f'case {name!r} has several values of {column}: {values}')
    numbers = [row['slice'] for row in rows]
    if odd := sorted({n for n in numbers if not n.isdigit() or numbers.count(n) > 1}):
        raise StoreError(
            f'case {name!r}: slices {odd} are given twice or are no whole numbers: number them'
        )
