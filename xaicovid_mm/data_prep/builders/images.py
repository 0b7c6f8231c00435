"""Make a slice store of image files that a slice table lists."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...classes import CLASSES
from ...utils.errors import ScanError, TableError
from ..case_table import SLICE_COLUMNS, read_table
from ..identifiers import identifier
from ..io.image_files import read_masks, read_stack
from ..load_case import CAUSE, MASKS, LoadedCase
from ..quality.display_values import inverted_issues
from ..quality.inspect import all_mask_issues, refuse
from ..quality.issue import WARNING
from ..slicing.grid import SliceGrid, lung_square
from ..slicing.slices import SliceSpec, enough_lung
from ..slicing.windowing import equalize_contrast
from ..store.writer import StoreCase, StoreWriter
from .case_builder import CaseBuilder, MaskValues, Progress, Rows, build_store


def prepare_images(
    table: str | Path,
    root: str | Path,
    size: int = 224,
    *,
    crop_lung: float | None = None,
    min_lung_px: int = SliceSpec.min_lung_px,
    clahe_sites: tuple[str, ...] = (),
    clahe_clip: float = 0.01,
    mask_values: MaskValues | None = None,
    workers: int = 1,
    progress: Progress = iter,
) -> None:
    """Make a slice store of display values from 8-bit image files.

    Started again after an interruption, it goes on where it stopped: a case that an earlier run
    finished from the same files with the same settings is kept.

    Args:
        table: CSV with ``SLICE_COLUMNS``, paths relative to the table. The label is a class name.
            Infection, lung and label may be empty. A column ``cause`` may name masks of what makes
            each case its class.
        root: Folder of the store.
        size: H = W of the stored slices.
        crop_lung: Crop each case to the square around its lungs, this share larger on each side;
            None keeps the whole field of view. A crop brings sources with different fields of view
            to about the same scale.
        min_lung_px: Slices with fewer pixels of lung, at their final size, are left out and listed
            in the notes of the case.
        clahe_sites: Sites whose slices are contrast-equalised (CLAHE), to match a source that
            already is.
        clahe_clip: Clip limit of CLAHE, in (0, 1]; a larger one gives more contrast.
        mask_values: Values that count in a mask that is a label map, by column.
        workers: Number of processes; the store is the same for any number.
        progress: Wraps the cases, for instance to show a progress bar.

    Raises:
        TableError: If the table is wrong, see ``read_table``, the rows of a case disagree, masks
            are missing, or a site of ``clahe_sites`` is not in the table.
        ScanError: If a file is not a grey 8-bit image or has another size than its image, a mask
            has values of no mask, or a case has too little lung.
    """
    rows = read_table(table, SLICE_COLUMNS)
    clahe_sites = tuple(map(identifier, clahe_sites))
    if unknown := sorted(set(clahe_sites) - {row['site'] for row in rows}):
        raise TableError(f'{table} has no site {unknown}', 'name its sites in --clahe-sites')
    builder = _ImageBuilder(
        base=Path(table).parent,
        root=Path(root),
        mask_values=mask_values or {},
        size=size,
        crop_lung=crop_lung,
        clahe_sites=clahe_sites,
        clahe_clip=clahe_clip if clahe_sites else None,
        min_lung_px=min_lung_px,
    )
    writer = StoreWriter(root, (size, size), 'display', dict(kind='images', **builder.recipe()))
    by_case: dict[str, Rows] = {}
    for row in rows:
        by_case[row['case']] = [*by_case.get(row['case'], ()), row]
    cases = list(by_case.values())
    build_store(writer, builder, cases, progress=progress, workers=workers)


@dataclass(frozen=True, kw_only=True)
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
            mask_values=self.mask_values,
        )

    def order(self, rows: Rows) -> Rows:
        _check_agreement(rows[0]['case'], rows)
        return sorted(rows, key=lambda row: int(row['slice']))

    def build(self, rows: Rows, sha256: list[str], key: str) -> StoreCase:
        first, name = rows[0], rows[0]['case']
        image = read_stack(self.base, rows)
        case, warnings = self._masks(rows, image)
        lung = case.mask('lung')
        if self.crop_lung is not None and (lung is None or not lung.any()):
            fault = 'has no lung masks' if lung is None else 'has no pixel of lung in its masks'
            raise TableError(f'case {name!r} {fault}', 'add lung to the table, or drop --crop-lung')
        grid = self._grid(image.shape, lung)
        lungs = None if lung is None else grid.cut(lung) > 0.5
        kept, notes = self._kept(name, rows, lungs)
        notes += warnings
        if first['site'] in self.clahe_sites and self.clahe_clip is not None:
            image = np.rint(255 * equalize_contrast(image, self.clahe_clip))
            notes.append(f'contrast-equalised (CLAHE, clip limit {self.clahe_clip})')
        return StoreCase(
            name=name,
            patient=first['patient'],
            site=first['site'],
            image=grid.cut(image, smooth=True)[kept],
            label=CLASSES.index(first['label']) if first['label'] else None,
            lung=None if lungs is None else lungs[kept],
            infection=_cut(grid, case.mask('infection'), kept),
            cause=_cut(grid, case.mask(CAUSE), kept),
            planes=kept,
            grid=grid,
            source_slices=[int(rows[i]['slice']) for i in kept],
            original_shape=image.shape,
            sha256=sha256,
            notes=notes,
            key=key,
        )

    def _masks(self, rows: Rows, image: np.ndarray) -> tuple[LoadedCase, list[str]]:
        """The case with its masks (Z, H, W), and a note on each warning about them."""
        read = {name: read_masks(self.base, rows, name, image.shape) for name in MASKS}
        masks = {name: values for name, values in read.items() if values is not None}
        case = LoadedCase({}, masks=masks, label=rows[0]['label'], mask_values=self.mask_values)
        lung = case.mask('lung')
        issues = [*all_mask_issues(case, lung, outer_share=None)]
        if lung is not None:
            issues += inverted_issues(image, lung)
        refuse({'image': f'case {rows[0]["case"]!r}'}, issues)
        return case, [f'{WARNING}: {issue.text}' for issue in issues]

    def _kept(
        self, name: str, rows: Rows, lungs: np.ndarray | None
    ) -> tuple[np.ndarray, list[str]]:
        """Positions of the slices with enough lung, and a note on each of the others."""
        if lungs is None:
            return np.arange(len(rows)), []
        kept = enough_lung(lungs, self.min_lung_px)
        if not len(kept):
            raise ScanError(
                f'case {name!r}: no slice has {self.min_lung_px} px of lung',
                'look at its lung masks, or lower --min-lung-px',
            )
        dropped = [rows[i]['slice'] for i in np.setdiff1d(np.arange(len(rows)), kept)]
        notes = [f'slice {number} left out: lung below {self.min_lung_px} px' for number in dropped]
        return kept, notes

    def _grid(self, shape: tuple[int, ...], lung: np.ndarray | None) -> SliceGrid:
        """The grid that covers the whole slices or the square around the lungs."""
        low, high = np.zeros(2), np.array(shape[1:], float)
        if lung is not None and self.crop_lung is not None:
            low, high = lung_square(lung, self.crop_lung)
        planes = shape[0]
        return SliceGrid.of_box((0, *low), (planes, *high), (planes, self.size, self.size))


def _cut(grid: SliceGrid, mask: np.ndarray | None, kept: np.ndarray) -> np.ndarray | None:
    return None if mask is None else grid.cut(mask)[kept] > 0.5


def _check_agreement(name: str, rows: Rows) -> None:
    for column in ('patient', 'label', 'site'):
        values = sorted({row[column] for row in rows})
        if len(values) > 1:
            raise TableError(
                f'case {name!r} has several values of {column}: {values}',
                'give all rows of a case the same',
            )
    texts = [row['slice'] for row in rows]
    numbers = [int(text) for text in texts if text.isdecimal()]
    if wrong := sorted({t for t in texts if not t.isdecimal() or numbers.count(int(t)) > 1}):
        raise TableError(
            f'case {name!r}: slices {wrong} are given twice or are no whole numbers',
            'number the slices of a case from 0 up',
        )
