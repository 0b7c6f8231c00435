"""What the converters of public sets share: a publisher's folder in, tables and a summary out."""

import argparse
import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from xaicovid_mm.utils.errors import StoreError, user_errors
from xaicovid_mm.utils.files import write_text

Convert = Callable[[Path, Path], list[str]]


def run(convert: Convert, description: str | None, argv: Sequence[str] | None) -> None:
    """Convert the folder of the command line and print the summary that comes back."""
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=how)
    parser.add_argument('folder', type=Path, help='as the publisher packed it')
    parser.add_argument('out', type=Path, help='gets the tables')
    args = parser.parse_args(argv)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    with user_errors():
        for line in convert(args.folder, args.out):
            console.print(line)


def need_folder(path: Path, remedy: str) -> Path:
    """The folder, if it is one.

    Raises:
        StoreError: If it is not, with the remedy.
    """
    if not path.is_dir():
        raise StoreError(
            f'{path} is not there',
            f'{remedy}',
        )
    return path


def files_by_name(folder: Path, *suffixes: str) -> dict[str, Path]:
    """Files that end so, in order, by name without the suffix; hidden files are left out.

    Raises:
        StoreError: If there is none, or two differ in their suffix only.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = next((s for s in suffixes if path.name.lower().endswith(s)), None)
        if suffix is None or path.name.startswith('.'):
            continue
        name = path.name[: -len(suffix)]
        if name in found:
            raise StoreError(
                f'{path} and {found[name]} have one name',
                'keep one of them',
            )
        found[name] = path
    if not found:
        raise StoreError(
            f'{folder} holds no {" or ".join(suffixes)} file',
            'unpack it again',
        )
    return found


def check_pairs(files: Iterable[str], others: Iterable[str], where: Path, remedy: str) -> None:
    """Refuse files that have no file of the same name in the folder ``where``.

    Raises:
        StoreError: Naming them.
    """
    if missing := sorted(set(files) - set(others)):
        raise StoreError(
            f'{where} has nothing for {missing}',
            f'{remedy}',
        )


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a CSV by rename, a ``Path`` relative to the table; without rows there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not rows:
        return path.unlink(missing_ok=True)
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value, path.parent) for key, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value: Any, base: Path) -> str:
    return os.path.relpath(value, base) if isinstance(value, Path) else str(value)
