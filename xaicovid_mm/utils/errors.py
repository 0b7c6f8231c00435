"""Errors of wrong input, and how a command prints them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class DataError(ValueError):
    """The given data are wrong. The message is ``what: remedy``.

    Attributes:
        what: What is wrong: the file or key, its value and the expected value.
        remedy: What the user can do about it; empty if ``what`` says it.
    """

    def __init__(self, what: str, remedy: str = '') -> None:
        super().__init__(f'{what}: {remedy}' if remedy else what)
        self.what, self.remedy = what, remedy

    def __reduce__(self) -> tuple:
        """Keep both attributes when the error is passed on from a worker process."""
        return type(self), (self.what, self.remedy)


class ScanError(DataError):
    """A scan or a mask cannot be read, or is not what it should be."""


class TableError(DataError):
    """A case table or a slice table is wrong."""


class StoreError(DataError):
    """A slice store or one of its splits is missing, damaged or of another version."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, holds more than plain data, or does not fit the network."""


@contextmanager
def user_errors() -> Iterator[None]:
    """Print an error of wrong input in one line and exit with code 2.

    This covers ValueError, KeyError, FloatingPointError and OSError, but no ConnectionError, which
    is an error between processes. With the environment variable XAICOVID_DEBUG=1 errors pass
    through, so that Python prints the traceback.

    Raises:
        SystemExit: With code 2, for an error of these kinds.
    """
    try:
        yield
    except (ValueError, KeyError, FloatingPointError, OSError) as error:
        if os.environ.get('XAICOVID_DEBUG') == '1' or isinstance(error, ConnectionError):
            raise
        sys.stderr.write(f'error: {error_text(error)}\n(XAICOVID_DEBUG=1 shows the traceback)\n')
        raise SystemExit(2) from error


def error_text(error: Exception) -> str:
    """Return the message of an error, without the quotes and numbers that Python adds."""
    if isinstance(error, OSError) and error.filename:
        return f'{error.filename}: {error.strerror}'
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return str(error)
