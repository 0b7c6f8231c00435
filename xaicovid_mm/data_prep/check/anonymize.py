"""Error messages without names of files or series: those may be the names of patients."""

import re
import zipfile
from pathlib import Path

_UID = re.compile(r'\d+(\.\d+){3,}')


def anonymous(text: str, column: str, path: Path) -> str:
    """A message about a scan, its path replaced by the column of the table that named it.

    What lies inside of a folder or zip is called by its number in the order of names.
    """
    for number, name in sorted(enumerate(_inside(path), start=1), key=lambda n: -len(n[1])):
        text = text.replace(name, f'{column} (file {number})')
    return _UID.sub('UID', text.replace(str(path), column))


def _inside(path: Path) -> list[str]:
    """How the readers call the files of a folder or zip."""
    if path.is_dir():
        return sorted(str(file) for file in path.rglob('*'))
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(f'{path}: {name!r}' for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return []
