"""Helpers of the converters of public sets: a publisher's folder in, tables and a summary out."""

import csv
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import ScanError, TableError, user_errors
from xaicovid_mm.utils.files import write_csv
from xaicovid_mm.utils.terminal import Console

Convert = Callable[[Path, Path], list[str]]
"""Reads a publisher's folder, writes tables to another, and returns the lines of a summary."""


def run(convert: Convert, description: str | None, argv: Sequence[str] | None) -> None:
    """Convert the folder of the command line and print the summary."""
    parser = CommandParser(description)
    parser.add_argument('folder', type=Path, help='as the publisher packed it')
    parser.add_argument('out', type=Path, help='gets the tables')
    args = parser.parse_args(argv)
    with user_errors():
        show(convert(args.folder, args.out))


def show(lines: Iterable[str]) -> None:
    """Print the lines of a summary."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for line in lines:
        console.print(line)


def need_folder(path: Path, remedy: str) -> Path:
    """Return a folder if it exists.

    Raises:
        ScanError: If it does not, with the remedy.
    """
    if not path.is_dir():
        raise ScanError(f'{path} is not there', remedy)
    return path


def files_by_name(folder: Path, *suffixes: str) -> dict[str, Path]:
    """List the files with one of the suffixes, by name without the suffix, sorted.

    Hidden files are left out.

    Raises:
        ScanError: If there is no such file, or two differ in their suffix only.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = next((s for s in suffixes if path.name.lower().endswith(s)), None)
        if suffix is None or path.name.startswith('.'):
            continue
        name = path.name[: -len(suffix)]
        if name in files:
            raise ScanError(f'{path} and {files[name]} have one name', 'keep one of them')
        files[name] = path
    if not files:
        raise ScanError(f'{folder} holds no {" or ".join(suffixes)} file', 'unpack it again')
    return files


def check_pairs(files: Iterable[str], others: Iterable[str], where: Path, remedy: str) -> None:
    """Refuse files without a partner of the same name in the folder ``where``.

    Raises:
        ScanError: Naming them.
    """
    if missing := sorted(set(files) - set(others)):
        raise ScanError(f'{where} has nothing for {missing}', remedy)


def manifest_rows(folder: Path, sources: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of these sources from ``ct_dev/manifest.csv``, see docs/how-to/public-sets.md.

    Raises:
        TableError: If there is no manifest.
    """
    path = folder / 'ct_dev' / 'manifest.csv'
    if not path.is_file():
        raise TableError(f'{path} is not there', 'give the folder that holds ct_dev')
    with open(path, newline='', encoding='utf-8') as file:
        return [row for row in csv.DictReader(file) if row['source'] in sources]


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a CSV, with each ``Path`` relative to it. Without rows the file is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not rows:
        return path.unlink(missing_ok=True)
    cells = [{key: _cell(value, path.parent) for key, value in row.items()} for row in rows]
    write_csv(path, cells, list(rows[0]))


def _cell(value: Any, base: Path) -> str:
    return os.path.relpath(value, base) if isinstance(value, Path) else str(value)
