"""The errors of a user's mistake, and how a command says them in one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class DataError(ValueError):
    """Something is wrong with the data that was given.

    Attributes:
        what: What is wrong: the file or key, the value found and the value expected.
        remedy: What the user can do about it; empty where ``what`` says it.
    """

    def __init__(self, what: str, remedy: str = '') -> None:
        super().__init__(f'{what}: {remedy}' if remedy else what)
        self.what, self.remedy = what, remedy

    def __reduce__(self) -> tuple:
        """An error of a worker process arrives with its parts."""
        return type(self), (self.what, self.remedy)


class ScanError(DataError):
    """A scan or a mask cannot be read, or is not what it should be."""


class TableError(DataError):
    """A case table or a slice table has a wrong line."""


class StoreError(DataError):
    """A slice store, or a split of it, is damaged, missing or of another version."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, holds more than plain data, or does not fit the run."""


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn a user's mistake into one line and exit code 2.

    Set XAICOVID_DEBUG=1 to see where it was found.

    Raises:
        SystemExit: For a ValueError, a KeyError, a number that is none, or a file or disk that
            refuses; not for connections between processes.
    """
    try:
        yield
    except (ValueError, KeyError, FloatingPointError, OSError) as error:
        if os.environ.get('XAICOVID_DEBUG') == '1' or isinstance(error, ConnectionError):
            raise
        sys.stderr.write(f'error: {in_words(error)}\n(XAICOVID_DEBUG=1 shows the traceback)\n')
        raise SystemExit(2) from error


def in_words(error: Exception) -> str:
    """What an error says, without the marks that Python puts around it."""
    if isinstance(error, OSError) and error.filename:
        return f'{error.filename}: {error.strerror}'
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return str(error)
