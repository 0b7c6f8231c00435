"""Make a slice store of volumes that a case table lists."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...classes import CLASSES
from ...utils.errors import ScanError, TableError
from ..case_table import Row, case_rows
from ..io.ignored import ignored_text
from ..load_case import CAUSE, LoadedCase, case_files, load_case
from ..lungs.threshold import lung_mask
from ..quality.inspect import inspect_scan
from ..quality.issue import REFUSED, WARNING, QualityIssue, refusals
from ..slicing.slices import OUTSIDE_HU, CaseSlices, SliceSpec, extract_slices
from ..store.writer import StoreCase, StoreWriter
from .case_builder import CaseBuilder, MaskValues, Progress, Rows, build_store


def prepare_volumes(
    table: str | Path,
    root: str | Path,
    slicing: SliceSpec | None = None,
    *,
    intensity: str = 'hu',
    add_hu: int = 0,
    accept: Sequence[str] = (),
    mask_values: MaskValues | None = None,
    kind: str = 'volumes',
    workers: int = 1,
    progress: Progress = iter,
) -> None:
    """Make a slice store of volumes.

    Started again after an interruption, it goes on where it stopped: a case that an earlier run
    finished from the same files with the same settings is kept.

    Args:
        table: CSV with ``COLUMNS``, paths relative to the table; infection, lung and label may be
            empty. Without a lung mask the lungs are found by threshold. A column ``cause`` may name
            masks of what makes each case its class; explanations are measured against them. Or a
            folder of scans, see ``case_rows``.
        root: Folder of the store.
        slicing: How scans are cut into slices; by default slices of the paper's size, planes as
            scanned.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already.
        add_hu: HU added to every value of every scan, to repair a lost intercept. The manifest and
            the notes of each case record it.
        accept: Codes of quality issues, see ``check_cases``, despite which a scan is taken. The
            notes of the case record them.
        mask_values: Values that count in a mask that is a label map, by column.
        kind: Kind of store, for the manifest; 'phantom' marks figures on it as phantom figures.
        workers: Number of processes; the store is the same for any number.
        progress: Wraps the cases, for instance to show a progress bar.

    Raises:
        TableError: If the table is wrong, see ``case_rows``.
        ScanError: If a file cannot be read, see ``read_scan``, or a scan is refused, see
            ``inspect_scan``.
    """
    slicing = slicing or SliceSpec()
    rows, base = case_rows(table)
    builder = _VolumeBuilder(
        base=base,
        root=Path(root),
        mask_values=mask_values or {},
        slicing=slicing,
        intensity=intensity,
        add_hu=add_hu,
        accept=tuple(accept),
    )
    parameters = dict(kind=kind, **asdict(slicing), add_hu=add_hu)
    writer = StoreWriter(root, (slicing.size, slicing.size), intensity, parameters)
    build_store(writer, builder, [[row] for row in rows], progress=progress, workers=workers)


@dataclass(frozen=True, kw_only=True)
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
            mask_values=self.mask_values,
        )

    def build(self, rows: Rows, sha256: list[str], key: str) -> StoreCase:
        (row,) = rows
        case = self._load(row)
        lung, issues = self._inspect(row, case)
        slices = self._slices(row, case, lung)
        scan = case.need_scan()
        return StoreCase(
            name=row['case'],
            patient=row['patient'],
            site=row['site'],
            image=slices.image,
            label=CLASSES.index(row['label']) if row['label'] else None,
            lung=slices.lung,
            infection=slices.infection,
            cause=slices.cause,
            source_slices=slices.source_slices,
            planes=slices.planes,
            grid=slices.grid,
            spacing_mm=np.multiply(scan.spacing_mm, slices.grid.scale),
            affine=scan.affine,
            original_shape=scan.original_shape,
            sha256=sha256,
            notes=self._notes(case, issues, slices),
            key=key,
        )

    def _load(self, row: Row) -> LoadedCase:
        files = case_files(row, self.base)
        case = load_case(
            files,
            label=row['label'],
            mask_values=self.mask_values,
            series=row.get('series', ''),
        )
        scan = case.need_scan()
        if self.add_hu:
            case.scan = replace(scan, data=scan.data.astype(np.int32) + self.add_hu)
        return case

    def _inspect(self, row: Row, case: LoadedCase) -> tuple[np.ndarray, list[QualityIssue]]:
        """The lungs and the issues of a scan that is accepted."""
        inspection = inspect_scan(case, self.intensity, lung_mask)
        # The limit of ``SliceSpec`` counts here, not that of the inspection.
        issues = [issue for issue in inspection.issues if issue.code != 'few slices']
        for issue in refusals(issues):
            if issue.code not in self.accept:
                raise ScanError(
                    f'{self.base / row[issue.column]}: {issue.text}',
                    f'{issue.remedy}; or take it as it is with --accept "{issue.code}"',
                )
        if inspection.lung is None:
            raise TableError(
                f'case {row["case"]!r}: display values without a lung mask',
                'give a lung mask in the table',
            )
        return inspection.lung, issues

    def _slices(self, row: Row, case: LoadedCase, lung: np.ndarray) -> CaseSlices:
        outside = OUTSIDE_HU if self.intensity == 'hu' else 0
        try:
            return extract_slices(
                case.need_scan(),
                lung,
                case.mask('infection'),
                case.mask(CAUSE),
                spec=self.slicing,
                outside=outside,
            )
        except ScanError as error:
            raise ScanError(f'case {row["case"]!r}: {error.what}', error.remedy) from error

    def _notes(self, case: LoadedCase, issues: list[QualityIssue], slices: CaseSlices) -> list[str]:
        notes = [f'{self.add_hu:+d} HU added to every value'] if self.add_hu else []
        if 'lung' not in case.masks:
            notes.append('lungs by threshold')
        notes += [
            f'{"accepted" if issue.severity == REFUSED else WARNING}: {issue.text}'
            for issue in issues
        ]
        if ignored := ignored_text(case.need_scan().ignored):
            notes.append(ignored)
        planes = slices.grid.shape[0]
        left_out = planes - len(slices.planes)
        return [*notes, f'{left_out} of {planes} slices left out: little lung']
