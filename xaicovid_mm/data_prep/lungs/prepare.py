"""Lung masks for all scans of a case table."""

import csv
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...utils.errors import TableError
from ...utils.parallel import parallel_map
from ..case_table import COLUMNS, case_rows, check_unique
from .mask_file import LungMethod, write_lung_mask

Rows = list[dict[str, str]]


def prepare_lungs(
    table: str | Path,
    out: str | Path,
    method: LungMethod,
    keep_flagged: bool = False,
    progress: Callable[[Rows], Iterable[dict[str, str]]] = iter,
    workers: int = 1,
) -> tuple[Rows, Rows]:
    """Write ``masks/<case>.nii.gz``, ``cases.csv`` and ``flagged.csv``.

    ``cases.csv`` is the table with the masks filled in, for ``prepare_volumes``; a case whose mask
    looks wrong goes to ``flagged.csv`` instead. A case that has a lung mask keeps it. Started
    again, it goes on where it stopped; a case is redone if its scan or the method changed.

    Args:
        table: CSV with the columns of ``prepare_volumes``, paths relative to the table; or a folder
            of scans.
        out: Folder to fill.
        method: How the lungs are found.
        keep_flagged: Flagged cases go to ``cases.csv`` too.
        progress: Wraps the rows of the table, to show a bar.
        workers: Processes; what is written is the same for any number.

    Returns:
        The rows of ``cases.csv`` and of ``flagged.csv``.

    Raises:
        TableError: For a bad table or scan, a case name that is given twice or is unfit for a file,
            or an ``out`` whose ``cases.csv`` would replace the table.
    """
    (rows, base), out = case_rows(table, COLUMNS), Path(out)
    check_unique(table, rows)
    if (out / 'cases.csv').resolve() == Path(table).resolve():
        raise TableError(
            f'{out}/cases.csv would replace the table {table}',
            'name another folder',
        )
    (out / 'masks').mkdir(parents=True, exist_ok=True)
    maker = _MaskMaker(base.resolve(), out.resolve(), method)
    with parallel_map(maker, rows, workers) as masked:
        done = [row for _, row in zip(progress(rows), masked, strict=True)]
    flagged = [row for row in done if row['flags']]
    kept = [row for row in done if keep_flagged or not row['flags']]
    _write_table(out / 'cases.csv', kept)
    _write_table(out / 'flagged.csv', flagged)
    return kept, flagged


@dataclass
class _MaskMaker:
    """From a row of the table to the row with its lung mask, in any process."""

    base: Path
    out: Path
    method: LungMethod

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        placed = {
            name: os.path.relpath(self.base / row[name], self.out) if row[name] else ''
            for name in ('image', 'infection', 'lung')
        }
        flags: list[str] = []
        if not row['lung']:
            placed['lung'] = f'masks/{row["case"]}.nii.gz'
            image, mask = self.base / row['image'], self.out / placed['lung']
            flags = write_lung_mask(image, mask, self.method)
        return {name: row[name] for name in COLUMNS} | placed | dict(flags='; '.join(flags))


def _write_table(path: Path, rows: Rows) -> None:
    partial = path.with_name(f'.{path.name}.partial')
    with open(partial, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, [*COLUMNS, 'flags'])
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)
