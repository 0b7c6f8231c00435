"""The JSON record of a split: how it was made, and the leaks that a check found."""

import json
from typing import Any

import numpy as np

from ...utils.errors import StoreError
from ...utils.files import read_json, write_text
from ..store.reader import SliceStore
from .leaks import Leak, find_leaks


def check_split(store: SliceStore, name: str, slice_prints: np.ndarray) -> list[Leak]:
    """Look for leaks in a split and write them to its record.

    Args:
        store: The store of the split.
        name: Name of the split.
        slice_prints: ``fingerprints`` of the store.

    Returns:
        The leaks, see ``find_leaks``; empty if there is none.

    Raises:
        StoreError: If there is no such split.
    """
    leaks = find_leaks(store, store.roles(name), slice_prints)
    write_record(store, name, {**read_record(store, name), 'leaks': leaks})
    return leaks


def known_leaks(store: SliceStore, name: str) -> list[Leak] | None:
    """Read the leaks that ``check_split`` found; None if the split was never checked.

    Raises:
        StoreError: If the record is damaged.
    """
    return read_record(store, name).get('leaks')


def write_record(store: SliceStore, name: str, record: dict[str, Any]) -> None:
    """Write ``splits/<name>.json``."""
    write_text(store.root / 'splits' / f'{name}.json', json.dumps(record, indent=1))


def read_record(store: SliceStore, name: str) -> dict[str, Any]:
    """Read ``splits/<name>.json``; empty if there is none.

    Raises:
        StoreError: If the record is damaged.
    """
    path = store.root / 'splits' / f'{name}.json'
    return read_json(path, 'make the split again', StoreError) if path.is_file() else {}
