"""Locks on folders, so that two processes do not write the same one."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import DataError
from .files import write_text

LOCKS = '.locks'
"""Name of a folder that holds nothing but locks."""
AFTER_DEATH = 10.0
"""Seconds until the children of a killed process have let go of its lock."""
TRIES = 100
"""How often a folder of locks may vanish under us; after that something else is wrong with it."""


class LockedError(DataError):
    """Another process works on the same folder."""


@contextmanager
def locked(lock: Path, work: str) -> Iterator[None]:
    """Hold a lock for the duration of the block. It ends with the process, also if that is killed.

    Args:
        lock: File of the lock; ``<lock>.owner`` beside it names the process. Both are removed at
            the end, with their folder if it is called ``LOCKS`` and holds no other.
        work: What the lock protects, for the error: 'writing the store data/store'.

    Raises:
        LockedError: If another process holds it. The error names that process.
        OSError: If the file cannot be made.
    """
    file = _acquired(lock, work)
    try:
        me = dict(pid=os.getpid(), host=socket.gethostname())
        write_text(_owner_file(lock), json.dumps(me))
        yield
    finally:
        _owner_file(lock).unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
        file.release()
        if lock.parent.name == LOCKS:
            with suppress(OSError):  # it holds others
                lock.parent.rmdir()


def lock_owner(lock: Path) -> str | None:
    """Name the process that holds a lock; None if there is none, or it has died on this machine."""
    try:
        owner = json.loads(_owner_file(lock).read_text(encoding='utf-8'))
        pid, host = int(owner['pid']), str(owner['host'])
    except (OSError, ValueError, KeyError, TypeError):  # none, or the rest of one
        return None
    here = host == socket.gethostname()
    return None if here and not _is_alive(pid) else f'process {pid} on {host}'


def _acquired(lock: Path, work: str) -> FileLock:
    tries = TRIES
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = FileLock(lock)
            file.acquire(timeout=0 if lock_owner(lock) else AFTER_DEATH)
        except (FileExistsError, FileNotFoundError):  # its last holder just removes the folder
            tries -= 1
            if not tries:
                raise
            continue
        except Timeout:
            owner = lock_owner(lock) or 'another process'
            raise LockedError(
                f'{work}: {owner} is at it', 'wait until it has ended, or stop it, then start again'
            ) from None
        if lock.exists():
            return file
        file.release()  # its last holder has just removed it


def _owner_file(lock: Path) -> Path:
    return lock.with_name(f'{lock.name}.owner')


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True
