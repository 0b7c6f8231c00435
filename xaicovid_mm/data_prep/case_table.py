"""Read the tables that list what goes into a store.

A case table has a row per scan, a slice table a row per image file. A folder of scans can take the
place of a case table.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from ..classes import CLASSES
from ..utils.errors import TableError
from ..utils.names import folder_fault
from ..utils.nearest import nearest
from ..utils.words import counted
from .find_cases import find_cases
from .identifiers import identifier, near_key
from .load_case import CAUSE, FILES
from .table_file import table_lines

COLUMNS = ('case', 'patient', 'image', 'infection', 'lung', 'label', 'site')
"""Columns of a case table."""
SLICE_COLUMNS = ('case', 'patient', 'slice', 'image', 'infection', 'lung', 'label', 'site')
"""Columns of a slice table."""
OPTIONAL = ('infection', 'lung', 'label', 'site')
"""Columns that a table may lack: no masks, no class, and one site without a name."""
EXTRA = (CAUSE, 'series')
"""Columns that a table may have besides: a mask, and the SeriesInstanceUID of the scan."""
ALIASES = {'covid': 'COVID-19', 'nonpneumonia': 'NP', 'communityacquiredpneumonia': 'CAP'}
"""Other names of the classes, without letter case, blanks and dashes."""
NAMES = {'case', 'patient', 'site', 'label', 'slice', 'series'}
"""Columns that hold names, not paths."""
NO_VALUES = {'nan', 'none', 'null', '<na>', 'n/a'}
"""What programs write for a missing value, besides the errors of Excel, such as #N/A."""

Row = dict[str, str]
"""Cell by column."""


def case_rows(table: str | Path, *, check_files: bool = True) -> tuple[list[Row], Path]:
    """Read a case table, or list a folder of scans as one.

    In a folder each scan is a case named after its file. It is a patient of its own, at the site
    'unknown', and has no masks and no class.

    Args:
        table: CSV with ``COLUMNS``, or a folder, see ``find_cases``.
        check_files: Whether a path that does not exist is an error.

    Returns:
        The rows, and the folder that their relative paths start from.

    Raises:
        TableError: For a bad table or folder, see ``read_table`` and ``find_cases``, or a case
            that is listed twice.
        FileNotFoundError: If a folder holds no scan.
    """
    path = Path(table)
    if path.is_dir():
        rows = []
        for name, scan in find_cases([path]).items():
            case = identifier(name)
            row = dict(case=case, patient=case, image=str(scan.resolve()), site='unknown')
            rows.append(dict.fromkeys(COLUMNS, '') | row)
            _check_cells(f'{scan}', rows[-1])
        return rows, path
    numbered = _numbered_rows(path, COLUMNS, check_files)
    rows = [row for _, row in numbered]
    check_unique(path, rows, [line for line, _ in numbered])
    return rows, path.parent


def read_table(path: str | Path, columns: Sequence[str], *, check_files: bool = True) -> list[Row]:
    """Read a table and check each row.

    Identifiers, sites and classes come in one spelling, see ``identifier``. The letter case of the
    columns and of the classes does not count; COVID is COVID-19.

    Args:
        path: Of the table, see ``table_lines``.
        columns: Those that are read. It may lack the ``OPTIONAL``, which are empty then, and have
            more: those of ``EXTRA`` are read likewise, others are passed over.
        check_files: Whether a path that does not exist is an error.

    Raises:
        TableError: If the table is missing, empty or cannot be read, a column is missing or has
            nearly the name of one that is, or a row has an empty case, patient or image, a case
            name that is unfit for a folder, an unknown class, or a path that does not exist. The
            line, the column and the value are named.
    """
    return [row for _, row in _numbered_rows(Path(path), columns, check_files)]


def _numbered_rows(path: Path, columns: Sequence[str], check_files: bool) -> list[tuple[int, Row]]:
    columns_remedy = f'give a CSV with the columns {tuple(columns)}'
    if not path.is_file():
        raise TableError(f'{path} does not exist', columns_remedy)
    lines = table_lines(path, columns)
    if len(lines) < 2:
        raise TableError(f'{path} has no rows', columns_remedy)
    header = [_column_name(cell, columns) for cell in lines[0][1]]
    _check_header(path, header, columns)
    rows = []
    for line, cells in lines[1:]:
        where = f'{path}, line {line}'
        row = _row(where, header, cells, columns)
        _check_cells(where, row)
        if check_files:
            _check_files(where, row, path.parent)
        rows.append((line, row))
    return rows


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if twice := sorted(c for c in (*columns, *EXTRA) if header.count(c) > 1):
        raise TableError(f'{path} has the columns {twice} twice', 'leave one of each')
    missing = [column for column in columns if column not in header]
    if needed := [column for column in missing if column not in OPTIONAL]:
        what = 'column' if len(needed) == 1 else 'columns'
        raise TableError(
            f'{path} lacks the {what} {needed}, it has {header}', 'add what is missing'
        )
    missing += [column for column in EXTRA if column not in header]
    for column in header:
        if column in columns or column in EXTRA:
            continue
        if near := nearest(column.casefold(), missing):
            raise TableError(
                f'{path} has a column {column!r} and none {near!r}',
                f'name it {near!r} if it is that, or something else',
            )


def class_name(text: str) -> str:
    """The class that a text names in any of its spellings, see ``ALIASES``; else the text."""
    names = ALIASES | {near_key(name): name for name in CLASSES}
    return names.get(near_key(text), text)


def check_unique(path: str | Path, rows: Sequence[Row], lines: Sequence[int] | None = None) -> None:
    """Refuse a table that lists a case twice.

    Args:
        path: Of the table, for the error.
        rows: Its rows.
        lines: Their lines in the file; default: one after the other, below the header.

    Raises:
        TableError: Naming the case and both lines.
    """
    seen: dict[str, int] = {}
    for line, row in zip(lines or range(2, len(rows) + 2), rows, strict=True):
        first = seen.setdefault(row['case'], line)
        if first != line:
            raise TableError(
                f'{path}, line {line}: case {row["case"]!r} is given twice, first in line {first}',
                'give each case a name of its own',
            )


def _column_name(cell: str, columns: Sequence[str]) -> str:
    name = identifier(cell)
    return name.casefold() if name.casefold() in (*columns, *EXTRA) else name


def _row(where: str, header: list[str], cells: list[str], columns: Sequence[str]) -> Row:
    """A line by column, its names in one spelling."""
    wanted = max(header.index(column) for column in (*columns, *EXTRA) if column in header)
    if len(cells) <= wanted or any(cell for cell in cells[len(header) :]):
        raise TableError(
            f'{where}: it has {counted(len(cells), "field")}, the header has {len(header)}',
            'give each column one field; put a field that holds a comma in double quotes',
        )
    row = dict.fromkeys((*columns, *header), '') | dict(zip(header, cells, strict=False))
    for column in NAMES & row.keys():
        row[column] = identifier(row[column])
    for column in row.keys() & set(FILES):
        row[column] = row[column].strip()
    row['label'] = class_name(row['label'])
    return row


def _check_cells(where: str, row: Row) -> None:
    for column in ('case', 'patient', 'image'):
        if not row[column]:
            raise TableError(f'{where}: {column} is empty', f'fill in {column}: every row needs it')
    for column in ('case', 'patient'):
        if row[column].casefold() in NO_VALUES or re.fullmatch(
            r'#(N/A|DIV/0!|[A-Z]+[!?])', row[column]
        ):
            raise TableError(
                f'{where}: {column} is {row[column]!r}, which programs write for a missing value',
                f'fill in {column}: every row needs it',
            )
        if re.fullmatch(r'\d{4}-\d\d-\d\d 00:00:00', row[column]):
            raise TableError(
                f'{where}: {column} is {row[column]!r}, a date that Excel has made of a name',
                'format the column as text and enter its names again',
            )
    name = row['case']
    if fault := folder_fault(name):
        raise TableError(
            f'{where}: case name {name!r} is unfit for a folder: it {fault}',
            'use letters, digits, - _ .',
        )
    if row['label'] and row['label'] not in CLASSES:
        raise TableError(
            f'{where}: class {row["label"]!r} in the column label is none of {CLASSES}',
            'correct it, or leave it empty',
        )


def _check_files(where: str, row: Row, base: Path) -> None:
    for column in FILES:
        if row.get(column) and not (base / row[column]).exists():
            remedy = 'correct the path, which is relative to the table'
            remedy += ', and write / for \\' * ('\\' in row[column])
            raise TableError(f'{where}: {column} {base / row[column]} is not there', remedy)
