"""Hashes of what a run is made of: its data, its code and its settings."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..utils.files import file_sha256

PACKAGE = Path(__file__).resolve().parents[1]
"""Folder of this package."""


def sha256_of(value: Any) -> str:
    """Hash a value as JSON; an object that JSON does not have counts by its text."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def data_sha256(store: Path, split: str) -> tuple[str, str]:
    """Hash the manifest of a store and the roles of its slices; 'missing' for what is not there."""
    manifest, roles = store / 'manifest.json', store / 'splits' / f'{split}.npy'
    first, second = (file_sha256(p) if p.is_file() else 'missing' for p in (manifest, roles))
    return first, second


def code_sha256(package: Path, folders: Iterable[str]) -> dict[str, str]:
    """Hash the files of some folders of a package, and those that are in no folder.

    Args:
        package: Folder of the package.
        folders: Their names, or paths within the package.

    Returns:
        Path within the package to sha256, sorted.
    """
    within = tuple(f'{folder}/' for folder in folders)
    paths = {path.relative_to(package).as_posix(): path for path in package.rglob('*.py')}
    return {
        name: file_sha256(path)
        for name, path in sorted(paths.items())
        if '/' not in name or name.startswith(within)
    }
