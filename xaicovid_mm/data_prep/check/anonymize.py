"""Take the names of files and series out of error messages: they may be names of patients."""

import re
import zipfile
from pathlib import Path

_UID = re.compile(r'\d+(\.\d+){3,}')


def anonymous(text: str, column: str, path: Path) -> str:
    """Replace a scan's path in a message by its table column, and UIDs by 'UID'.

    A file inside of a folder or zip is replaced by its number in the order of names.

    Args:
        text: The message.
        column: Column of the table that names the path.
        path: Path of the scan or mask.
    """
    for number, name in sorted(enumerate(_inside(path), start=1), key=lambda n: -len(n[1])):
        text = text.replace(name, f'{column} (file {number})')
    return _UID.sub('UID', text.replace(str(path), column))


def _inside(path: Path) -> list[str]:
    """Names of the files in a folder or zip, as the readers write them in messages."""
    if path.is_dir():
        return sorted(str(file) for file in path.rglob('*'))
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(f'{path}: {name!r}' for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return []
