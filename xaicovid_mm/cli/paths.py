"""Look at the paths that a user names before any work is done."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PICTURES = ('.png', '.pdf')
"""Endings of the names of pictures."""


def output_folder(path: str | Path, option: str) -> Path:
    """See that files can be written in a folder, which need not exist. Nothing is made.

    Args:
        path: The folder.
        option: What named it, for the error: '--work-dir'.

    Raises:
        OSError: Naming the option, the folder and why.
    """
    folder = Path(path)
    with _named(option, folder):
        _try_to_write(folder)
    return folder


def output_picture(path: str | Path, option: str = '--out') -> Path:
    """See that a picture can be written there. Nothing is made.

    Args:
        path: The file.
        option: What named it, for the error.

    Raises:
        OSError: If it is a folder, or nothing can be written there.
        ValueError: If the name ends in none of ``PICTURES``.
    """
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f'{option} {file} is a folder: name a file in it')
    if file.suffix.lower() not in PICTURES:
        raise ValueError(f'{option} {file}: end the name in {" or ".join(PICTURES)}')
    with _named(option, file):
        _try_to_write(file.parent)
    return file


@contextmanager
def _named(option: str, path: Path) -> Iterator[None]:
    """Say in an error of the disk what named the path."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f'{option} {path}: nothing can be written there ({error.strerror}): name another',
        ) from error


def _try_to_write(folder: Path) -> None:
    """Write where ``folder`` is or will be made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    with tempfile.TemporaryFile(dir=there):
        pass


def checkpoint_file(path: str | Path) -> Path:
    """Return the path of a checkpoint that is there.

    Raises:
        FileNotFoundError: If it is no file; of a work dir, naming its newest checkpoint.
    """
    path = Path(path)
    if path.is_file():
        return path
    from ..engine.checkpoint import epoch_checkpoints  # slow, see ``parser``

    found = next(iter(epoch_checkpoints(path).values()), None) if path.is_dir() else None
    advice = f'did you mean {found}?' if found else 'only local files are loaded: check the path'
    start = '' if path.is_absolute() else f' (looked for in {Path.cwd()})'
    raise FileNotFoundError(f'{path}{start} is no checkpoint file: {advice}')
