"""Write files and folders that appear whole or not at all, even after a kill or a power cut."""

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from errno import EINVAL, EIO, ENOTSUP
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .errors import DataError, DiskError

PARTIAL = '.partial.'
"""Prefix of the hidden name that a file or folder has until it is complete."""


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name, then rename it to ``path``.

    The file is flushed to the disk before it is renamed, and its folder after. If the block fails,
    ``path`` keeps its old content and the temporary file is removed.

    Args:
        path: The file to write.

    Yields:
        The temporary path to write to, in the same folder. It is hidden and ends like ``path``,
        for instance in ``.nii.gz``, because some libraries choose the format by the ending.

    Raises:
        DiskError: If the file cannot be written, or ``path`` is no file: a device would be
            replaced.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise DiskError(f'cannot write {path}: it is a folder or a device, name a file')
    partial = partial_path(path)
    try:
        yield partial
        with open(partial, 'rb+') as file:
            _sync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except DiskError:
        raise
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        _remove(partial)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all, see ``new_file``."""
    _write(path, lambda file: file.write(content))


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all, see ``new_file``."""
    write_bytes(path, text.encode())


def write_csv(
    path: str | Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]
) -> None:
    """Write a CSV file with a header line, whole or not at all, see ``new_file``.

    Args:
        path: The file to write.
        rows: Cell by column. A column that a row lacks is left empty.
        columns: The columns, in the order of the file.

    Raises:
        ValueError: If a row has a key that is no column.
    """
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, columns, restval='')
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write a .npy file, whole or not at all, see ``new_file``."""
    _write(path, lambda file: np.save(file, array))


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Fill a folder under a temporary name, then rename it to ``folder``.

    An older ``folder`` is renamed before that, and removed once the new one has its name. If this
    is killed between the two, the next call gives the older folder its name back. If the block
    fails, ``folder`` stays as it was and the temporary folder is removed. Two processes that make
    the same folder need a lock.

    Args:
        folder: The folder to make. Missing parent folders are made too.

    Yields:
        The temporary folder to fill, beside ``folder``.

    Raises:
        OSError: If the folder cannot be made.
    """
    folder = Path(folder)
    partial, older = partial_path(folder), partial_path(folder.with_name(f'{folder.name}.old'))
    if older.is_dir() and not folder.exists():
        older.rename(folder)
    for rest in (partial, older):
        shutil.rmtree(rest, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.is_dir():
            folder.rename(older)
        partial.rename(folder)
        _sync_folder(folder.parent)
        shutil.rmtree(older, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder if it exists. It is renamed first: a half-removed one never has its name."""
    if folder.is_dir():
        removed = partial_path(folder.with_name(f'{folder.name}.removed'))
        shutil.rmtree(removed, ignore_errors=True)
        folder.rename(removed)
        shutil.rmtree(removed)


def partial_path(path: Path) -> Path:
    """The hidden path that a file or folder has until it is complete: ``.partial.NAME``."""
    return path.with_name(f'{PARTIAL}{path.name}')


def read_json(
    path: str | Path, remedy: str, error_type: type[DataError] = DataError
) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: The file.
        remedy: What to do if it cannot be read, for the error.
        error_type: The error that is raised.

    Raises:
        DataError: If there is no such file, or it holds something else. It names the file. It is
            an ``error_type``.
    """
    try:
        content = json.loads(Path(path).read_bytes())  # it finds UTF-8 with a mark, and UTF-16
    except OSError as error:
        raise error_type(f'{path} cannot be read ({error.strerror})', remedy) from error
    except (ValueError, RecursionError) as error:
        raise error_type(f'{path} is no JSON ({error})', remedy) from error
    if not isinstance(content, dict):
        raise error_type(f'{path} holds a {type(content).__name__}, an object is expected', remedy)
    return content


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal. The file is read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _refused(path: Path, error: OSError) -> DiskError:
    reason = error.strerror or f'the disk is full or refuses ({error})'  # numpy has no errno
    return DiskError(
        error.errno or EIO,
        f'cannot write {path}: {reason}. What was there before is untouched; free space or make '
        'the folder writable, then start the same command again',
    )


def _write(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    with new_file(path) as partial, open(partial, 'wb') as file:
        write(file)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the error that is already on its way says more
        pass


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (EINVAL, ENOTSUP):  # a file system that cannot
            raise


def _sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a rename in it survives a power cut.

    Some file systems cannot. The file is there all the same, so that is no error.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
