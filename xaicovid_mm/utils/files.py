"""Files that are there whole or not at all."""

import hashlib
import os
from pathlib import Path

import numpy as np


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file by rename."""
    partial = path.with_name(f'.{path.name}.partial')
    with open(partial, 'wb') as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file by rename."""
    partial = path.with_name(f'.{path.name}.partial')
    with open(partial, 'w', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal, read a megabyte at a time."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
