"""Write the index and the records of all cases, once the cases are written."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.files import file_sha256, write_array, write_text
from .records import RECORDS, STARTS
from .schema import INDEX


def write_tables(
    root: Path, index: np.ndarray, records: Sequence[dict[str, Any]]
) -> dict[str, str]:
    """Write ``index.npy``, ``cases.jsonl`` and ``cases.npy``.

    If index or records differ from those of an older store in this folder, its splits were made
    for other slices: they are removed first.

    Args:
        root: Folder of the store.
        index: A row per slice, ``INDEX_DTYPE``.
        records: One per case, ready for JSON.

    Returns:
        The sha256 of index and records, by file name.
    """
    lines = [json.dumps(record) + '\n' for record in records]
    text = ''.join(lines)
    if not _are_unchanged(root, index, text):
        shutil.rmtree(root / 'splits', ignore_errors=True)
    write_array(root / INDEX, index)
    write_text(root / RECORDS, text)
    write_array(root / STARTS, np.cumsum([0, *map(len, lines)]))
    return {name: file_sha256(root / name) for name in (INDEX, RECORDS)}


def _are_unchanged(root: Path, index: np.ndarray, text: str) -> bool:
    if not all((root / name).is_file() for name in (INDEX, RECORDS)):
        return False
    same_index = np.load(root / INDEX, allow_pickle=False).tobytes() == index.tobytes()
    return same_index and (root / RECORDS).read_text(encoding='utf-8') == text
