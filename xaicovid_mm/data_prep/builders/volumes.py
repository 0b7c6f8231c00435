"""Volumes by a case table into a slice store."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...classes import CLASSES
from ...utils.errors import ScanError
from ..case_table import COLUMNS, case_rows, check_unique
from ..load_case import FILES, LoadedCase, load_case
from ..lungs.threshold import lung_mask
from ..quality.inspect import inspect_scan, refuse
from ..quality.issue import REFUSED, QualityIssue
from ..slicing.slices import OUTSIDE_HU, SliceSpec, extract_slices
from ..store.writer import StoreCase, StoreWriter
from .case_builder import CaseBuilder, Rows, build_store

Progress = Callable[[Sequence[Rows]], Iterable[Rows]]


def prepare_volumes(
    table: str | Path,
    root: str | Path,
    slicing: SliceSpec | None = None,
    intensity: str = 'hu',
    progress: Progress = iter,
    workers: int = 1,
    kind: str = 'volumes',
    add_hu: int = 0,
    accept: Sequence[str] = (),
) -> None:
    """Turn volumes into a slice store.

    A case that an earlier run finished from the same files with the same parameters is taken over,
    so a run that was stopped goes on where it was.

    Args:
        table: CSV with ``COLUMNS``; paths relative to the table; infection, lung and label may be
            empty. Without a lung mask the lungs are found by threshold. Or a folder of scans, see
            ``case_rows``.
        root: Folder of the store.
        slicing: How scans become slices; default the paper's size, planes as scanned.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already.
        progress: Wraps the cases, to show a bar.
        kind: For the manifest: 'phantom' marks figures as phantom figures.
        add_hu: Added to every value of every scan, to mend a lost intercept; recorded in the
            manifest and in the notes of each case.
        accept: Codes of quality issues, see ``check_cases``, in spite of which a scan is taken; they
            are recorded in its notes.
        workers: Processes that read and resample; the store is the same for any number.

    Raises:
        TableError: For a bad table.
        ScanError: For a file that cannot be read, see ``read_scan``, or a scan that is refused, see
            ``inspect_scan``.
    """
    slicing = slicing or SliceSpec()
    rows, base = case_rows(table, COLUMNS)
    check_unique(table, rows)
    builder = _VolumeBuilder(base, Path(root), slicing, intensity, add_hu, tuple(accept))
    parameters = dict(kind=kind, **asdict(slicing), add_hu=add_hu)
    writer = StoreWriter(root, (slicing.size, slicing.size), intensity, parameters)
    build_store(writer, builder, [[row] for row in rows], progress, workers)


@dataclass(frozen=True)
class _VolumeBuilder(CaseBuilder):
    slicing: SliceSpec
    intensity: str
    add_hu: int
    accept: tuple[str, ...]

    def recipe(self) -> dict[str, Any]:
        return dict(
            **asdict(self.slicing),
            intensity=self.intensity,
            add_hu=self.add_hu,
            accept=sorted(self.accept),
        )

    def build(self, rows: Rows, sha256: list[str], key: str) -> StoreCase:
        (row,) = rows
        case = self._load(row)
        lung, issues = self._inspect(row, case)
        scan = case.need_scan()
        outside = OUTSIDE_HU if self.intensity == 'hu' else 0
        try:
            slices = extract_slices(scan, lung, case.mask('infection'), self.slicing, outside)
        except ScanError as error:
            raise ScanError(f'case {row["case"]!r}: {error.what}', error.remedy) from error
        return StoreCase(
            name=row['case'],
            patient=row['patient'],
            site=row['site'],
            image=slices.image,
            label=CLASSES.index(row['label']) if row['label'] else None,
            lung=slices.lung,
            infection=slices.infection,
            source_slices=slices.source_slices,
            planes=slices.planes,
            grid=slices.grid,
            spacing_mm=np.multiply(scan.spacing_mm, slices.grid.scale),
            affine=scan.affine,
            original_shape=scan.original_shape,
            source=Path(row['image']).name,
            sha256=sha256,
            notes=list(self._notes(case, issues, slices.grid.shape[0], len(slices.planes))),
            key=key,
        )

    def _load(self, row: dict[str, str]) -> LoadedCase:
        files = {column: self.base / row[column] for column in FILES if row[column]}
        case = load_case(files, label=row['label'])
        scan = case.need_scan()
        if self.add_hu:
            case.scan = replace(scan, data=scan.data.astype(np.int32) + self.add_hu)
        return case

    def _inspect(
        self, row: dict[str, str], case: LoadedCase
    ) -> tuple[np.ndarray, list[QualityIssue]]:
        """The lungs, and the issues of a scan that is taken. ``SliceSpec`` judges few slices."""
        found = inspect_scan(case, self.intensity, lung_mask)
        issues = [issue for issue in found.issues if issue.code != 'few slices']
        try:
            refuse(self.base / row['image'], issues, self.accept)
        except ScanError as error:
            code = next(
                i.code for i in issues if i.severity == REFUSED and i.code not in self.accept
            )
            remedy = f'{error.remedy}; or take it as it is with --accept "{code}"'
            raise ScanError(error.what, remedy) from error
        if found.lung is None:
            raise ScanError(
                f'case {row["case"]!r}: display values without a lung mask',
                'give a lung mask in the table',
            )
        return found.lung, issues

    def _notes(
        self, case: LoadedCase, issues: list[QualityIssue], planes: int, kept: int
    ) -> list[str]:
        notes = [f'{self.add_hu:+d} HU added to every value'] if self.add_hu else []
        if 'lung' not in case.masks:
            notes.append('lungs by threshold')
        notes += [f'accepted: {i.text}' if i.severity == REFUSED else i.text for i in issues]
        return [*notes, f'{planes - kept} of {planes} slices left out: little lung']
