"""Tables that say what goes into a store."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ..classes import CLASSES
from ..utils.errors import TableError
from .load_case import FILES

COLUMNS = ('case', 'patient', 'image', 'infection', 'lung', 'label', 'site')
"""Of a case table: a row per scan."""
SLICE_COLUMNS = ('case', 'patient', 'slice', 'image', 'infection', 'lung', 'label', 'site')
"""Of a slice table: a row per image file."""
SCAN_SUFFIXES = ('.nii', '.nii.gz', '.zip')


def case_rows(
    table: str | Path, columns: Sequence[str], files: bool = True
) -> tuple[list[dict[str, str]], Path]:
    """Rows of a case table, see ``read_table``, and the folder that its paths start from.

    A folder of scans stands for a table that names each scan after its file, as a patient of its
    own at the site 'unknown', and says nothing else: all of them are unlabelled.

    Raises:
        TableError: For a bad table.
        FileNotFoundError: If a folder holds no scan.
        ValueError: See ``find_cases``.
    """
    path = Path(table)
    if not path.is_dir():
        return read_table(path, columns, files), path.parent
    empty = dict.fromkeys(columns, '')
    rows = [
        empty | dict(case=name, patient=name, image=str(scan.resolve()), site='unknown')
        for name, scan in find_cases([path]).items()
    ]
    return rows, path


def find_cases(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Scans by case name.

    A folder stands for the NIfTI and zip files in it; without any it is a DICOM scan itself, or,
    if it holds nothing but folders, each of those is.

    Raises:
        FileNotFoundError: If an input is not there, or a folder holds no scan.
        ValueError: If two scans would have the same name, or a folder holds scan files and
            folders, which may be scans or not.
    """
    cases: dict[str, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist: give a scan or a folder of scans')
        found = [path] if path.is_file() else _scans_in(path)
        if not found:
            raise FileNotFoundError(f'{path} is empty: give a scan or a folder of scans')
        for scan in found:
            name = scan.name.removesuffix('.gz').removesuffix('.nii').removesuffix('.zip')
            if name in cases:
                raise ValueError(
                    f'{cases[name]} and {scan} would both be case {name!r}: rename one'
                )
            cases[name] = scan
    return cases


def read_table(
    path: str | Path, columns: Sequence[str], files: bool = True
) -> list[dict[str, str]]:
    """Rows of a CSV with at least these columns.

    Args:
        path: Of the table.
        columns: That it must have.
        files: Whether a path that is no file is an error.

    Raises:
        TableError: If there is no such table, a column or a value that every row needs is missing,
            a name is unfit for a folder, a class does not exist, or a path is no file. Line and
            value are named.
    """
    path = Path(path)
    if not path.is_file():
        raise TableError(
            f'{path} does not exist',
            f'give a CSV with the columns {tuple(columns)}',
        )
    with open(path, newline='', encoding='utf-8-sig') as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise TableError(
            f'{path} has no rows',
            f'give a CSV with the columns {tuple(columns)}',
        )
    if missing := [column for column in columns if column not in rows[0]]:
        raise TableError(f'{path} lacks the columns {missing}, it has {list(rows[0])}', 'add them')
    for number, row in enumerate(rows, start=2):
        _check(f'{path}, line {number}', row, columns)
        if files:
            _check_files(f'{path}, line {number}', row, path.parent)
    return rows


def check_unique(path: str | Path, rows: Sequence[dict[str, str]]) -> None:
    """Refuse a table that names a case twice.

    Raises:
        TableError: Naming the case and both lines.
    """
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        first = lines.setdefault(row['case'], number)
        if first != number:
            raise TableError(
                f'{path}, line {number}: case {row["case"]!r} is given twice, first in line '
                f'{first}',
                'case names must be unique',
            )


def _check(where: str, row: dict[str, str], columns: Sequence[str]) -> None:
    if None in row or any(row[column] is None for column in columns):
        raise TableError(
            f'{where}: it has another number of fields than the header',
            'correct it',
        )
    for column in ('case', 'patient', 'image'):
        if not row[column].strip():
            raise TableError(
                f'{where}: {column} is empty',
                'every row needs one',
            )
    name = row['case']
    if Path(name).name != name or name.startswith('.') or '\\' in name:
        raise TableError(
            f'{where}: case name {name!r} is unfit for a folder',
            'use letters, digits',
        )
    if row['label'] and row['label'] not in CLASSES:
        raise TableError(
            f'{where}: class {row["label"]!r} does not exist',
            f'give one of {CLASSES}, or leave it empty',
        )


def _check_files(where: str, row: dict[str, str], base: Path) -> None:
    for column in FILES:
        if row.get(column) and not (base / row[column]).exists():
            raise TableError(
                f'{where}: {column} {base / row[column]} is not there',
                'correct the path, which is relative to the table',
            )


def _scans_in(folder: Path) -> list[Path]:
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith('.'))
    scans = [path for path in inside if path.is_file() and path.name.endswith(SCAN_SUFFIXES)]
    folders = [path.name for path in inside if path.is_dir()]
    if scans and folders:
        raise ValueError(
            f'{folder} holds both {len(scans)} scan files and folders ({", ".join(folders[:3])}): '
            f'name those that are scans, such as {folder}/*.nii.gz'
        )
    if scans or not inside:
        return scans
    return [folder] if any(path.is_file() for path in inside) else inside
