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
from .identifiers import identifier, near_key
from .io.dicom.files import holds_ct_image
from .io.ignored import is_system_name
from .io.image_folder import is_image_folder
from .load_case import FILES
from .table_file import table_lines

COLUMNS = ('case', 'patient', 'image', 'infection', 'lung', 'label', 'site')
"""Columns of a case table."""
SLICE_COLUMNS = ('case', 'patient', 'slice', 'image', 'infection', 'lung', 'label', 'site')
"""Columns of a slice table."""
NAMES = {'case', 'patient', 'site', 'label', 'slice'}
"""Columns that hold names, not paths."""
SCAN_SUFFIXES = ('.nii', '.nii.gz', '.zip')

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
    rows = read_table(path, COLUMNS, check_files=check_files)
    check_unique(path, rows)
    return rows, path.parent


def read_table(path: str | Path, columns: Sequence[str], *, check_files: bool = True) -> list[Row]:
    """Read a table and check each row.

    Identifiers, sites and classes come in one spelling, see ``identifier``. The letter case of the
    columns and of the classes does not count.

    Args:
        path: Of the table, see ``table_lines``.
        columns: Those that it must have; it may have more.
        check_files: Whether a path that does not exist is an error.

    Raises:
        TableError: If the table is missing, empty or cannot be read, a column is missing, or a row
            has an empty case, patient or image, a case name that is unfit for a folder, an unknown
            class, or a path that does not exist. The line and the value are named.
    """
    path = Path(path)
    columns_remedy = f'give a CSV with the columns {tuple(columns)}'
    if not path.is_file():
        raise TableError(f'{path} does not exist', columns_remedy)
    lines = table_lines(path, columns)
    if len(lines) < 2:
        raise TableError(f'{path} has no rows', columns_remedy)
    header = [_column_name(cell, columns) for cell in lines[0][1]]
    if missing := [column for column in columns if column not in header]:
        raise TableError(f'{path} lacks the columns {missing}, it has {header}', 'add them')
    rows = []
    for line, cells in lines[1:]:
        where = f'{path}, line {line}'
        rows.append(_row(where, header, cells, columns))
        _check_cells(where, rows[-1])
        if check_files:
            _check_files(where, rows[-1], path.parent)
    return rows


def check_unique(path: str | Path, rows: Sequence[Row]) -> None:
    """Refuse a table that lists a case twice.

    Raises:
        TableError: Naming the case and both lines.
    """
    lines: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        first = lines.setdefault(row['case'], line)
        if first != line:
            raise TableError(
                f'{path}, line {line}: case {row["case"]!r} is given twice, first in line {first}',
                'give each case a name of its own',
            )


def find_cases(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Find scans by path and name each case after its file or folder.

    A folder stands for the NIfTI and zip files in it. A folder without such files is itself a
    scan, if slices lie in it; else each folder in it is one. Files of the system do not count, nor
    do files beside folders that are no slices, such as DICOMDIR or a text.

    Returns:
        Path by case name.

    Raises:
        FileNotFoundError: If an input does not exist, or a folder is empty.
        TableError: If two scans would have the same case name, or a folder holds both scan files
            and folders.
    """
    cases: dict[str, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist: give a scan or a folder of scans')
        scans = [path] if path.is_file() else _scans_in(path)
        if not scans:
            raise FileNotFoundError(f'{path} is empty: give a scan or a folder of scans')
        for scan in scans:
            name = re.sub(r'(\.nii)?(\.gz)?(\.zip)?$', '', scan.name, flags=re.IGNORECASE)
            if name in cases:
                raise TableError(
                    f'{cases[name]} and {scan} would both be case {name!r}', 'rename one'
                )
            cases[name] = scan
    return cases


def _scans_in(folder: Path) -> list[Path]:
    inside = sorted(
        path
        for path in folder.iterdir()
        if not (path.name.startswith('.') or is_system_name(path.name))
    )
    scans = [
        path for path in inside if path.is_file() and path.name.lower().endswith(SCAN_SUFFIXES)
    ]
    folders = [path.name for path in inside if path.is_dir()]
    if scans and folders:
        raise TableError(
            f'{folder} holds both {len(scans)} scan files and folders ({", ".join(folders[:3])})',
            f'name those that are scans, such as {folder}/*.nii.gz',
        )
    if scans or not inside:
        return scans
    if not folders or is_image_folder(folder) or any(map(holds_ct_image, inside)):
        return [folder]
    return [path for path in inside if path.is_dir()]


def _column_name(cell: str, columns: Sequence[str]) -> str:
    name = identifier(cell)
    return name.casefold() if name.casefold() in columns else name


def _row(where: str, header: list[str], cells: list[str], columns: Sequence[str]) -> Row:
    """A line by column, its names in one spelling."""
    wanted = max(header.index(column) for column in columns)
    if len(cells) <= wanted or any(cell for cell in cells[len(header) :]):
        raise TableError(
            f'{where}: it has {len(cells)} fields, the header has {len(header)}',
            'give each column one field; put a field that holds a comma in double quotes',
        )
    row = dict.fromkeys(header, '') | dict(zip(header, cells, strict=False))
    for column in NAMES & row.keys():
        row[column] = identifier(row[column])
    for column in FILES:
        row[column] = row[column].strip()
    row['label'] = next((n for n in CLASSES if near_key(n) == near_key(row['label'])), row['label'])
    return row


def _check_cells(where: str, row: Row) -> None:
    for column in ('case', 'patient', 'image'):
        if not row[column]:
            raise TableError(f'{where}: {column} is empty', f'fill in {column}: every row needs it')
    name = row['case']
    if fault := folder_fault(name):
        raise TableError(
            f'{where}: case name {name!r} is unfit for a folder: it {fault}',
            'use letters, digits, - _ .',
        )
    if row['label'] and row['label'] not in CLASSES:
        raise TableError(
            f'{where}: class {row["label"]!r} is none of {CLASSES}', 'correct it, or leave it empty'
        )


def _check_files(where: str, row: Row, base: Path) -> None:
    for column in FILES:
        if row.get(column) and not (base / row[column]).exists():
            raise TableError(
                f'{where}: {column} {base / row[column]} is not there',
                'correct the path, which is relative to the table',
            )
