"""Tables that say what goes into a store."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .store import CLASSES, StoreError


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a CSV with at least these columns.

    Raises:
        StoreError: If there is no such file, a column or a value that every row needs is missing,
            a name is unfit for a folder, or a class does not exist. Row and value are named.
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
    return rows


def check_unique(path: str | Path, rows: Sequence[dict[str, str]]) -> None:
    """Raise StoreError naming the cases that a table has more than one row for."""
    counts = Counter(row['case'] for row in rows)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise StoreError(f'{path}: cases {twice} are given twice: case names must be unique')


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
