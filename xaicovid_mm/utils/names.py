"""Folders that are named after cases. Names come from files and tables, and may be anything."""

import os
from pathlib import Path

from .errors import DataError

LONGEST = 200
"""Bytes of a name; file systems take 255, and temporary names are longer."""
PREDICTION = 'prediction.json'
"""File in the folder of a case that `infer` predicted."""
COHORT_PAGE, COHORT_JSON, COHORT_CSV = 'cohort.html', 'cohort.json', 'cohort.csv'
RESERVED = {COHORT_PAGE, COHORT_JSON, COHORT_CSV}
"""Files that stand beside the folders of cases."""


def case_folder(parent: Path, name: str) -> Path:
    """Return the folder of a case in ``parent``. Every folder of a case gets its path here.

    Raises:
        DataError: If the name cannot be that of a folder in ``parent``.
    """
    if fault := folder_fault(name):
        raise DataError(f'case name {name!r} {fault}', 'rename it: use letters, digits, - _ .')
    return parent / name


def folder_fault(name: str) -> str:
    """Say why a name cannot be that of a case's folder; empty if it can."""
    if not name.strip() or name != name.strip():
        return 'is empty, or begins or ends with a blank'
    if name.startswith('.'):
        return 'begins with a dot'
    if '/' in name or '\\' in name:
        return 'holds a path separator'
    if not name.isprintable():
        return 'holds control characters, or bytes that are no text'
    if len(os.fsencode(name)) > LONGEST:
        return f'is longer than {LONGEST} bytes'
    if name.casefold() in RESERVED:
        return 'is reserved for a page that lists all cases'
    return ''
