"""Make lung masks for all scans of a case table."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...utils.errors import TableError
from ...utils.files import write_csv
from ...utils.parallel import parallel_map
from ..case_table import COLUMNS, Row, case_rows
from ..load_case import CAUSE, FILES
from .mask_file import LungMethod, write_lung_mask


def prepare_lungs(
    table: str | Path,
    out: str | Path,
    method: LungMethod,
    *,
    keep_flagged: bool = False,
    workers: int = 1,
    progress: Callable[[Sequence[Row]], Iterable[Row]] = iter,
) -> tuple[list[Row], list[Row]]:
    """Write ``masks/<case>.nii.gz``, ``cases.csv`` and ``flagged.csv``.

    ``cases.csv`` is the table with the masks filled in, for ``prepare_volumes``. A case whose mask
    looks wrong is listed in ``flagged.csv`` instead. A case that has a lung mask keeps it.

    Started again after an interruption, it goes on where it stopped. A mask is made again if its
    scan or the method changed.

    Args:
        table: CSV with ``COLUMNS``, paths relative to the table; or a folder of scans, see
            ``case_rows``.
        out: Folder to fill.
        method: How the lungs are found.
        keep_flagged: List flagged cases in ``cases.csv`` too.
        workers: Number of processes; the outputs are the same for any number.
        progress: Wraps the rows of the table, for instance to show a progress bar.

    Returns:
        The rows of ``cases.csv`` and of ``flagged.csv``.

    Raises:
        TableError: If the table is wrong, see ``case_rows``, or would be replaced by
            ``out/cases.csv``.
        ScanError: See ``write_lung_mask``.
    """
    (rows, base), out = case_rows(table), Path(out)
    if (out / 'cases.csv').resolve() == Path(table).resolve():
        raise TableError(f'{out}/cases.csv would replace the table {table}', 'name another folder')
    (out / 'masks').mkdir(parents=True, exist_ok=True)
    masker = _LungMasker(base.resolve(), out.resolve(), method)
    with parallel_map(masker, rows, workers) as results:
        masked = [row for _, row in zip(progress(rows), results, strict=True)]
    flagged = [row for row in masked if row['flags']]
    kept = [row for row in masked if keep_flagged or not row['flags']]
    columns = [*COLUMNS, *(name for name in (CAUSE, 'series') if name in rows[0]), 'flags']
    write_csv(out / 'cases.csv', kept, columns)
    write_csv(out / 'flagged.csv', flagged, columns)
    return kept, flagged


@dataclass(frozen=True)
class _LungMasker:
    """Make the lung mask of a row of the table, in any process.

    Attributes:
        base: Folder that the paths of the table start from.
        out: Folder that the paths of the result start from.
        method: How the lungs are found.
    """

    base: Path
    out: Path
    method: LungMethod

    def __call__(self, row: Row) -> Row:
        """The row with its lung mask and its flags."""
        paths = {
            column: os.path.relpath(self.base / row[column], self.out) if row[column] else ''
            for column in FILES
            if column in row
        }
        flags: list[str] = []
        if not row['lung']:
            paths['lung'] = f'masks/{row["case"]}.nii.gz'
            image, mask = self.base / row['image'], self.out / paths['lung']
            flags = write_lung_mask(image, mask, self.method, row.get('series', ''))
        kept = {name: row[name] for name in (*COLUMNS, 'series') if name in row}
        return kept | paths | dict(flags='; '.join(flags))
