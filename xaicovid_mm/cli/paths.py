"""Look at the paths that a user names before any work is done."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..utils.locks import LockedError

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


def output_picture(path: str | Path) -> Path:
    """See that a picture can be written to a file that --out names. Nothing is made.

    Raises:
        OSError: If it is a folder, or nothing can be written there.
        ValueError: If the name ends in none of ``PICTURES``.
    """
    file = Path(path)
    if not file.is_dir() and file.suffix.lower() not in PICTURES:
        raise ValueError(f'--out {file}: end the name in {" or ".join(PICTURES)}')
    return output_file(file)


def output_file(path: str | Path) -> Path:
    """See that a file that --out names can be written. Nothing is made.

    Raises:
        OSError: If it is a folder or a device, or nothing can be written there.
    """
    file = Path(path)
    if file.is_dir():
        raise IsADirectoryError(f'--out {file} is a folder: name a file in it')
    if file.exists() and not file.is_file():
        raise OSError(f'--out {file} is a device: name a file')
    with _named('--out', file):
        _try_to_write(file.parent)
    return file


@contextmanager
def new_work_dir(path: str | Path, begun: Callable[[], bool]) -> Iterator[None]:
    """Remove a work dir that the block made, if the block fails before its work has begun.

    A folder that was there before stays as it is, and so does one that another process locks. The
    main process alone removes.

    Args:
        path: The folder; its missing parents are removed too, if nothing else is in them.
        begun: Says whether there is something in it that is worth keeping.
    """
    folder = Path(path).absolute()
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        yield
    except BaseException as error:
        is_main = os.environ.get('RANK', '0') == '0'
        if made and is_main and not isinstance(error, LockedError) and not begun():
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # one that is not there, or holds something else
                for parent in made[1:]:
                    parent.rmdir()
        raise


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
