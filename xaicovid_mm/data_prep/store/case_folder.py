"""A case on disk: there whole under its name, or not at all."""

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
    """Write a case beside its place and put it there by rename, instead of what was there.

    Args:
        folder: Place of the case.
        arrays: Name to array; ``rows`` is its stretch of the index.
        record: What else is known of it.
        key: What it depends on, see ``stored_case``.
    """
    with new_folder(folder) as partial:
        for name, array in arrays.items():
            write_array(partial / f'{name}.npy', array)
        write_text(partial / RECORD, json.dumps(dict(key=key, record=record), indent=1))


def stored_case(folder: Path, key: str) -> tuple[dict[str, Any], np.ndarray] | None:
    """Record and rows of a finished case that was made with this key; None if there is none."""
    path = folder / RECORD
    if not key or not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding='utf-8'))
    if stored['key'] != key:
        return None
    return stored['record'], np.load(folder / ROWS, allow_pickle=False)
