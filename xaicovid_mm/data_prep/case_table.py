"""Read the tables that list what goes into a store.

A case table has a row per scan, a slice table a row per image file. A folder of scans can take the
place of a case table.
"""

import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..classes import CLASSES
from ..utils.errors import TableError
from ..utils.names import PREDICTION, RESERVED, folder_fault
from ..utils.nearest import nearest
from .identifiers import identifier, near_key
from .io.dicom.files import holds_ct_image
from .io.ignored import is_system_name
from .io.image_folder import is_image_folder
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
SCAN_SUFFIXES = ('.nii', '.nii.gz', '.zip')

Row = dict[str, str]
"""Cell by column."""

_logger = logging.getLogger(__name__)


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
        raise TableError(f'{path} lacks the columns {needed}, it has {header}', 'add them')
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


def find_cases(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Find scans by path, in folders at any depth, and name each case after its path.

    A folder stands for the NIfTI and zip files in it. A folder without such files is itself a
    scan, if slices lie in it; else what is found in its folders counts. Of those a folder is one
    scan, whatever lies deeper, unless several folders in it hold slices: then each of these is one.
    Files of the system do not count, nor does what lies beside scan files or beside slices in
    folders of its own, such as DICOMDIR, a dose report or a text: the log counts it. A file of one
    DICOM slice stands for its series.
    Folders of results of `infer` are passed over, and the log says how many.

    A scan is named after its file or folder; one in a folder below an input after its path from
    there, joined by ``_``. Scans that would have the same name are named after the folders above
    them as well.

    Returns:
        Path by case name.

    Raises:
        FileNotFoundError: If an input does not exist, or a folder is empty.
        TableError: If a scan is given twice, two would have the same case name, or a folder holds
            both scan files and folders or DICOM slices.
    """
    paths: dict[Path, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist: give a scan or a folder of scans')
        scans = [path] if path.is_file() else _scans_in(path)
        if not scans:
            raise FileNotFoundError(f'{path} is empty: give a scan or a folder of scans')
        for scan in scans:
            if scan in paths:
                raise TableError(f'{scan} is given twice', 'give each scan once')
            paths[scan] = path
    names = {
        scan: _stem('_'.join(scan.relative_to(top).parts) or scan.name)
        for scan, top in paths.items()
    }
    counts = Counter(names.values())
    cases: dict[str, Path] = {}
    for scan, name in names.items():
        name = _longer_name(scan, name, names) if counts[name] > 1 else name
        if name in cases:
            raise TableError(f'{cases[name]} and {scan} would both be case {name!r}', 'rename one')
        cases[name] = scan
    return cases


def _longer_name(scan: Path, name: str, names: Mapping[Path, str]) -> str:
    """The name with the folders above the scan, as many as tell it from others of that name."""
    same = [other.resolve() for other, its in names.items() if its == name]
    parts = (scan.resolve().parent / _stem(scan.name)).parts[1:]
    for count in range(2, len(parts) + 1):
        tails = [(s.parent / _stem(s.name)).parts[-count:] for s in same]
        if tails.count(parts[-count:]) == 1:
            return '_'.join(parts[-count:])
    return name


def _stem(name: str) -> str:
    return re.sub(r'(\.nii)?(\.gz)?(\.zip|\.dcm)?$', '', name, flags=re.IGNORECASE)


def _scans_in(folder: Path) -> list[Path]:
    inside = sorted(
        path
        for path in folder.iterdir()
        if not (path.name.startswith('.') or is_system_name(path.name) or path.name in RESERVED)
    )
    if results := [path for path in inside if path.is_dir() and _is_result(path)]:
        _logger.warning('%s: folders of results are passed over: %d', folder, len(results))
        inside = [path for path in inside if path not in results]
    folders = [path for path in inside if path.is_dir()]
    files = [path for path in inside if not path.is_dir()]
    scans = [path for path in files if path.name.lower().endswith(SCAN_SUFFIXES)]
    others = [path for path in files if not path.name.lower().endswith(SCAN_SUFFIXES)]
    slices = list(filter(holds_ct_image, others)) if scans else []
    for kind, beside in (('folders', folders), ('DICOM slices', slices)):
        if scans and beside:
            raise TableError(
                f'{folder} holds both {len(scans)} scan files ({_first_names(scans)}) and {kind} '
                f'({_first_names(beside)})',
                f'name those that are scans, such as {folder}/*.nii.gz, or take the others out',
            )
    if not inside:
        return []
    if not scans and (not folders or is_image_folder(folder) or any(map(holds_ct_image, others))):
        return [folder]
    if others:
        _logger.warning(
            '%s: %d files are left out as no scans: %s', folder, len(others), _first_names(others)
        )
    return scans or [scan for path in folders for scan in _scans_below(path)]


def _first_names(paths: Sequence[Path]) -> str:
    return ', '.join(path.name for path in paths[:3]) + ', ...' * (len(paths) > 3)


def _is_result(folder: Path) -> bool:
    """Whether `infer` wrote the folder: that of a case, or one that holds such and nothing else."""
    if (folder / PREDICTION).is_file():
        return True
    inside = [path for path in folder.iterdir() if not path.name.startswith('.')]
    return bool(inside) and all(
        _is_result(path) if path.is_dir() else path.name in RESERVED for path in inside
    )


def _scans_below(folder: Path) -> list[Path]:
    """The scans of a folder that lies in another: itself, or several in it."""
    found = [scan for scan in _scans_in(folder) if scan.is_file() or _shows_slices(scan)]
    return found if len(found) > 1 or any(scan.is_file() for scan in found) else [folder]


def _shows_slices(folder: Path) -> bool:
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    return is_image_folder(folder) or any(map(holds_ct_image, files))


def _column_name(cell: str, columns: Sequence[str]) -> str:
    name = identifier(cell)
    return name.casefold() if name.casefold() in (*columns, *EXTRA) else name


def _row(where: str, header: list[str], cells: list[str], columns: Sequence[str]) -> Row:
    """A line by column, its names in one spelling."""
    wanted = max(header.index(column) for column in (*columns, *EXTRA) if column in header)
    if len(cells) <= wanted or any(cell for cell in cells[len(header) :]):
        raise TableError(
            f'{where}: it has {len(cells)} fields, the header has {len(header)}',
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
