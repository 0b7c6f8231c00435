"""Write and read the folder of a case; it is complete or it does not exist."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.files import new_folder, write_array, write_text

RECORD, ROWS = 'case.json', 'rows.npy'


def write_case(
    folder: Path, arrays: Mapping[str, np.ndarray], record: dict[str, Any], key: str
) -> None:
    """Write the folder of a case whole or not at all. It replaces an older one.

    Args:
        folder: The folder.
        arrays: Array by name; 'rows' are the rows of the index.
        record: What ``cases.jsonl`` says of the case.
        key: Changes with all that the case is made of, see ``stored_case``.
    """
    with new_folder(folder) as partial:
        for name, array in arrays.items():
            write_array(partial / f'{name}.npy', array)
        write_text(partial / RECORD, json.dumps(dict(key=key, record=record), indent=1))


def stored_case(folder: Path, key: str) -> tuple[dict[str, Any], np.ndarray] | None:
    """Read the record and index rows of a complete case with this key; None if there is none."""
    path = folder / RECORD
    if not key or not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding='utf-8'))
    if stored['key'] != key:
        return None
    return stored['record'], np.load(folder / ROWS, allow_pickle=False)
