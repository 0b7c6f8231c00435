"""Tables that say what goes into a store."""

import csv
from collections.abc import Sequence
from pathlib import Path

from .store import CLASSES, StoreError

FILES = ('image', 'infection', 'lung')


def read_table(
    path: str | Path, columns: Sequence[str], files: bool = True
) -> list[dict[str, str]]:
    """Rows of a CSV with at least these columns.

    Args:
        path: Of the table.
        columns: That it must have.
        files: Whether a path that is no file is an error.

    Raises:
        StoreError: If there is no such table, a column or a value that every row needs is missing,
            a name is unfit for a folder, a class does not exist, or a path is no file. Line and
            value are named.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f'{path} does not exist: give a CSV with the columns {tuple(columns)}')
    with open(path, newline='', encoding='utf-8-sig') as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise StoreError(f'{path} has no rows: give a CSV with the columns {tuple(columns)}')
    if missing := [column for column in columns if column not in rows[0]]:
        raise StoreError(f'{path} lacks the columns {missing}, it has {list(rows[0])}')
    for number, row in enumerate(rows, start=2):
        _check(f'{path}, line {number}', row, columns)
        if files:
            _check_files(f'{path}, line {number}', row, path.parent)
    return rows


def check_unique(path: str | Path, rows: Sequence[dict[str, str]]) -> None:
    """Refuse a table that names a case twice.

    Raises:
        StoreError: Naming the case and both lines.
    """
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        first = lines.setdefault(row['case'], number)
        if first != number:
            raise StoreError(
                f'{path}, line {number}: case {row["case"]!r} is given twice, first in line '
                f'{first}: case names must be unique'
            )


def _check(where: str, row: dict[str, str], columns: Sequence[str]) -> None:
    if None in row or any(row[column] is None for column in columns):
        raise StoreError(f'{where}: it has another number of fields than the header: correct it')
    for column in ('case', 'patient', 'image'):
        if not row[column].strip():
            raise StoreError(f'{where}: {column} is empty: every row needs one')
    name = row['case']
    if Path(name).name != name or name.startswith('.') or '\\' in name:
        raise StoreError(f'{where}: case name {name!r} is unfit for a folder: use letters, digits')
    if row['label'] and row['label'] not in CLASSES:
        raise StoreError(f'{where}: class {row["label"]!r} is none of {CLASSES}')


def _check_files(where: str, row: dict[str, str], base: Path) -> None:
    for column in FILES:
        if row.get(column) and not (base / row[column]).exists():
            raise StoreError(
                f'{where}: {column} {base / row[column]} is not there: correct the path, which is '
                'relative to the table'
            )
