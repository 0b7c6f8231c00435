"""Errors of wrong input, and how a command prints them."""

import dis
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from .printable import one_line, printable

PACKAGE = __name__.partition('.')[0]
OURS = (Path(__file__).resolve().parents[1], Path(__file__).resolve().parents[2] / 'tools')
"""Folders of our code."""
RAISE = dis.opmap['RAISE_VARARGS']
"""The instruction of a line that says ``raise``, unlike one in which an error happens."""


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


class ConfigError(ValueError):
    """A config has a key that nothing reads, or a value that nothing can be built from."""


class WorkerLostError(DataError):
    """A worker process was killed."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, holds more than plain data, or does not fit the network."""


class DiskError(OSError):
    """A file or folder cannot be written. The message names it; ``errno`` says why."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


_trace = [False]


def show_trace(wanted: bool) -> None:
    """Say whether errors pass through ``user_errors``, so that Python prints their traceback.

    The environment variable XAICOVID_DEBUG=1 does the same.
    """
    _trace[0] = wanted


def shows_trace() -> bool:
    """Return whether an error that was not foreseen is to pass, for its traceback."""
    return _trace[0] or os.environ.get('XAICOVID_DEBUG') == '1'


@contextmanager
def user_errors(
    doing: str = '', on_stop: Callable[[], str] = lambda: 'start it again'
) -> Iterator[None]:
    """Print any error in one line and exit; Ctrl-C and SIGTERM are printed in a line as well.

    The message of an error of ours stands alone, code 2. That is an error of a class of ours, one
    that a line of ours raises in so many words, or an OSError that names its file. Any other error
    was not foreseen: its kind and what was being done are said as well, code 1.

    Args:
        doing: What the block does, such as 'training configs/semi_vgg.py'; default: the command as
            it was typed.
        on_stop: Gives the advice for whoever stopped the block.

    Raises:
        SystemExit: With code 2 or 1 for an error, 130 after Ctrl-C, 143 after SIGTERM.
    """
    doing = doing or f'running {shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}'
    try:
        with _sigterm_raises():
            yield
    except KeyboardInterrupt as stop:
        by, code = ('SIGTERM', 143) if isinstance(stop, Terminated) else ('Ctrl-C', 130)
        _leave(f'stopped by {by} while {doing}: {on_stop()}', code, stop)
    except Exception as error:
        if shows_trace():
            raise
        hint = '(--debug shows the traceback)'
        if is_ours(error):
            advice = f'. {on_stop()}' if isinstance(error, WorkerLostError) else ''
            _leave(f'error: {one_line(error_text(error))}{advice}\n{hint}', 2, error)
        text = ' '.join(error_text(error).split())[:500]
        _leave(f'error: {type(error).__name__} while {doing}: {text}\n{hint}', 1, error)


def is_ours(error: BaseException) -> bool:
    """Whether the message of an error was written by us, for the user.

    It was if one of our own ``raise`` statements raised it. So the instruction at which it was
    raised is looked at: an error of a library passes through our code, too.
    """
    if type(error).__module__.partition('.')[0] == PACKAGE:
        return True
    if isinstance(error, OSError) and error.filename:
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or isinstance(error, AssertionError):
        return False
    code = trace.tb_frame.f_code
    path = Path(code.co_filename).resolve()
    return code.co_code[trace.tb_lasti] == RAISE and any(map(path.is_relative_to, OURS))


def error_text(error: BaseException) -> str:
    """Return the message of an error, without the quotes and numbers that Python adds."""
    if isinstance(error, OSError) and error.filename:
        return f'{error.filename}: {error.strerror}'
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    try:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:  # an error of a library can fail at its own text
        text = 'no text'
    if 'Original Traceback' in text:  # of a worker process; its last line is the error
        text = text.strip().splitlines()[-1].partition(': ')[2]
    return text


def _leave(text: str, code: int, cause: BaseException) -> NoReturn:
    sys.stderr.write(printable(f'{text}\n'))
    raise SystemExit(code) from cause


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does. Only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        # torch raises when a loader's worker ends; here all were told to end
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
