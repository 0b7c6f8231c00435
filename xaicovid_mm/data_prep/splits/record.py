"""The record beside a split: how it came about, and whether it leaks."""

import json
from typing import Any

import numpy as np

from ...utils.errors import StoreError
from ...utils.files import write_text
from ..store.reader import SliceStore
from .leaks import Leak, find_leaks


def check_split(store: SliceStore, name: str, prints: np.ndarray) -> list[Leak]:
    """Look for leaks in a split that is there, and write what was found into its record.

    Args:
        store: Where it belongs.
        name: Of the split.
        prints: ``fingerprints`` of the store.

    Returns:
        The leaks, see ``find_leaks``; empty if there is none.

    Raises:
        StoreError: If there is no such split.
    """
    leaks = find_leaks(store, store.roles(name), prints)
    write_record(store, name, {**_read_record(store, name), 'leaks': leaks})
    return leaks


def known_leaks(store: SliceStore, name: str) -> list[Leak] | None:
    """The leaks that ``check_split`` wrote down; None if it never looked."""
    return _read_record(store, name).get('leaks')


def write_record(store: SliceStore, name: str, record: dict[str, Any]) -> None:
    """Write ``splits/<name>.json``."""
    write_text(store.root / 'splits' / f'{name}.json', json.dumps(record, indent=1))


def _read_record(store: SliceStore, name: str) -> dict[str, Any]:
    path = store.root / 'splits' / f'{name}.json'
    try:
        return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
    except ValueError as error:
        raise StoreError(
            f'{path} is no JSON ({error})',
            'make the split again',
        ) from error
