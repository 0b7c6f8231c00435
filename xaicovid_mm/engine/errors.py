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
        SystemExit: For a ValueError, KeyError or a file that is not there.
    """
    try:
        yield
    except (ValueError, KeyError, FileNotFoundError, FloatingPointError) as error:
        if os.environ.get('XAICOVID_DEBUG') == '1':
            raise
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        sys.stderr.write(f'error: {text}\n(XAICOVID_DEBUG=1 shows the traceback)\n')
        raise SystemExit(2) from error
