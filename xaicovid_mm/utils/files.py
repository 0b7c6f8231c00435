"""Files and folders that appear whole or not at all, also through a kill or a power cut."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

PARTIAL = '.partial.'
"""Begin of the hidden name that a file or folder has until it is complete."""


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, that file replaces ``path`` in one step.

    The file is flushed to the disk before it is renamed, and the folder after. If the block fails,
    ``path`` keeps its old content and the temporary file is removed.

    Args:
        path: The file to write. The temporary name keeps its endings, such as ``.nii.gz``.

    Raises:
        OSError: If the disk refuses, naming ``path``.
    """
    path = Path(path)
    partial = partial_path(path)
    try:
        yield partial
        with open(partial, 'rb+') as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(
            error.errno,
            f'cannot write {path}: {error.strerror}. What was there before is untouched; free '
            'space or make the folder writable, then start the same command again',
        ) from error
    finally:
        _remove(partial)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all, see ``new_file``."""
    _write(path, lambda file: file.write(content))


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all, see ``new_file``."""
    write_bytes(path, text.encode())


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write a .npy file whole or not at all, see ``new_file``."""
    _write(path, lambda file: np.save(file, array))


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends well, it takes the place of ``folder``.

    An older ``folder`` is first renamed, so no half of it keeps the name. If the block fails,
    ``folder`` stays as it was and the new one is removed.

    Args:
        folder: The folder to make. Parents are made where they are missing.

    Raises:
        OSError: If the disk refuses.
    """
    folder = Path(folder)
    partial = partial_path(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        remove_folder(folder)
        partial.rename(folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder if it is there. It is renamed first, so no half of it keeps the name."""
    if folder.is_dir():
        old = partial_path(folder.with_name(f'{folder.name}.old'))
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        shutil.rmtree(old)


def partial_path(path: Path) -> Path:
    """The hidden name of a file or folder until it is complete: ``.partial.NAME``."""
    return path.with_name(f'{PARTIAL}{path.name}')


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal, read a megabyte at a time."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _write(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    with new_file(path) as partial, open(partial, 'wb') as file:
        write(file)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the error that led here says more
        pass


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system can sync a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
