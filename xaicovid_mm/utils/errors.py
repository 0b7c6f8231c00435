"""What a user did wrong, in one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
