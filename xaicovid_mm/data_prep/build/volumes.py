"""NIfTI or DICOM volumes by a case table into a slice store."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .case_folder import stored_case
from .case_slices import AIR_HU, Slicing, cut_slices
from .case_table import FILES, check_unique
from .chest import chest_findings
from .display import display_findings
from .finding import REFUSED, Finding
from .intensity import intensity_findings
from .lung import lung_mask
from .nifti import read_volume
from .scan_folder import case_rows
from .store import CLASSES, VERSION, StoreError
from .store_writer import StoreWriter
from .volume import Volume, check_same_grid, read_scan, scan_sha256
from .workers import mapped

COLUMNS = ('case', 'patient', 'image', 'infection', 'lung', 'label', 'site')
Row = dict[str, str]
Progress = Callable[[list[Row]], Iterable[Row]]


def prepare_volumes(
    table: str | Path,
    root: str | Path,
    slicing: Slicing | None = None,
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
        progress: Wraps the rows of the table, to show a bar.
        kind: For the manifest: 'phantom' marks figures as phantom figures.
        add_hu: Added to every value of every scan, to mend a lost intercept; recorded in the
            manifest and in the notes of each case.
        accept: Codes of findings, see ``check_cases``, in spite of which a scan is taken; what was
            found is recorded in its notes.
        workers: Processes that read and resample; the store is the same for any number.

    Raises:
        StoreError: For a bad table or file, see ``read_scan``, or a scan that the door refuses.
    """
    slicing = slicing or Slicing()
    rows, base = case_rows(table, COLUMNS)
    check_unique(table, rows)
    parameters = dict(kind=kind, **asdict(slicing), add_hu=add_hu)
    writer = StoreWriter(root, (slicing.size, slicing.size), intensity, parameters)
    maker = _CaseMaker(base, Path(root), slicing, intensity, add_hu, tuple(accept))
    with mapped(maker, rows, workers) as cases:
        for _, case in zip(progress(rows), cases, strict=True):
            if 'image' in case or not writer.keep_case(**case):
                writer.add_case(**case)
    writer.close()


@dataclass
class _CaseMaker:
    """From a row of the table to what ``StoreWriter`` takes, in any process."""

    base: Path
    root: Path
    slicing: Slicing
    intensity: str
    add_hu: int = 0
    accept: tuple[str, ...] = ()

    def __call__(self, row: Row) -> dict[str, Any]:
        """What ``add_case`` takes, or ``keep_case`` if the case lies there finished."""
        sums = [scan_sha256(self.base / row[column]) for column in FILES if row[column]]
        key = self._key(row, sums)
        if stored_case(self.root / 'cases' / row['case'], key):
            return dict(name=row['case'], key=key)
        scan = read_scan(self.base / row['image'])
        if self.add_hu:
            scan = replace(scan, data=scan.data.astype(np.int32) + self.add_hu)
        infection, lung = (self._mask(row, column, scan) for column in FILES[1:])
        notes = [f'{self.add_hu:+d} HU added to every value'] if self.add_hu else []
        if lung is None and self.intensity == 'hu':
            notes.append('lungs by threshold')
        lung, findings = self._look(row, scan, lung)
        notes += [_note(finding) for finding in findings]
        outside = AIR_HU if self.intensity == 'hu' else 0
        try:
            cut = cut_slices(scan, lung, infection, self.slicing, outside)
        except StoreError as error:
            raise StoreError(f'case {row["case"]!r}: {error}') from error
        left_out = cut.grid.shape[0] - len(cut.planes)
        notes.append(f'{left_out} of {cut.grid.shape[0]} slices left out: little lung')
        return dict(
            name=row['case'],
            patient=row['patient'],
            site=row['site'],
            image=cut.image,
            label=CLASSES.index(row['label']) if row['label'] else None,
            lung=cut.lung,
            infection=cut.infection,
            source_slices=cut.source_slices,
            planes=cut.planes,
            grid=cut.grid,
            spacing_mm=np.multiply(scan.spacing_mm, cut.grid.scale),
            affine=scan.affine,
            original_shape=scan.original_shape,
            source=Path(row['image']).name,
            sha256=sums,
            notes=notes,
            key=key,
        )

    def _key(self, row: Row, sums: list[str]) -> str:
        said = [row[column] for column in ('case', 'patient', 'site', 'label')]
        given = [bool(row[column]) for column in FILES]
        everything = [VERSION, said, given, sums, asdict(self.slicing), self.intensity]
        everything += [self.add_hu] * bool(self.add_hu)
        everything += sorted(self.accept)
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()

    def _mask(self, row: Row, column: str, scan: Volume) -> np.ndarray | None:
        if not row[column]:
            return None
        mask = read_volume(self.base / row[column])
        check_same_grid(row['image'], scan, row[column], mask)
        return mask.data > 0

    def _look(
        self, row: Row, scan: Volume, lung: np.ndarray | None
    ) -> tuple[np.ndarray, list[Finding]]:
        """The lungs, and what is to be noted of a scan that is let in.

        Raises:
            StoreError: For one that is not.
        """
        if self.intensity != 'hu':
            found = self._let_in(row, display_findings(scan.data, scan.spacing_mm, lung))
            if lung is None:
                raise StoreError(f'case {row["case"]!r}: display values need a lung mask')
            return lung, found
        found = self._let_in(row, intensity_findings(scan.data))
        lung = lung_mask(scan.data, scan.spacing_mm) if lung is None else lung
        return lung, found + self._let_in(row, chest_findings(scan.data, scan.spacing_mm, lung))

    def _let_in(self, row: Row, findings: list[Finding]) -> list[Finding]:
        """The findings, but for few slices, of which ``Slicing`` has the say."""
        found = [finding for finding in findings if finding.code != 'few slices']
        for finding in found:
            if finding.severity == REFUSED and finding.code not in self.accept:
                raise StoreError(
                    f'{self.base / row["image"]}: {finding.text}: {finding.remedy}; or take it '
                    f'as it is with --accept "{finding.code}"'
                )
        return found


def _note(finding: Finding) -> str:
    return f'accepted: {finding.text}' if finding.severity == REFUSED else finding.text
