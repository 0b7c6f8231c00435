"""Train and test what is missing of a run, by the commands, in processes of their own."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..utils.files import write_text
from .fingerprint import code_sha256, records_sha256
from .runs import DONE, Run


class RunError(ValueError):
    """A run failed. It does not count as done."""


def execute(run: Run, threads: int) -> None:
    """Train and test a run. A run that was stopped is continued, one that is done is skipped.

    Args:
        run: The run.
        threads: CPU threads of the commands.

    Raises:
        RunError: If training or testing fails, if code or data changed since the run was planned,
            or if another process works on the run.
    """
    run.tested.mkdir(parents=True, exist_ok=True)
    with _locked(run.folder / 'lock') as lock:
        if run.is_done():
            return
        start = time.monotonic()
        train, test = run.commands()
        if run.epochs_trained() < run.epochs or not run.checkpoint.is_file():
            _check_unchanged(run)
            _call(train, run, threads, lock)
        _check_unchanged(run)
        _call(test, run, threads, lock)
        _check_unchanged(run)
        record = dict(
            identity=run.fingerprint,
            system=run.name,
            seed=run.seed,
            scale=run.setting.scale,
            data_sha256=run.data,
            code_sha256=run.code,
            files=run.file_hashes(),
            seconds_since_last_start=round(time.monotonic() - start, 1),
        )
        write_text(run.tested / DONE, json.dumps(record, indent=1))


def _check_unchanged(run: Run) -> None:
    setting = run.setting
    for what, planned, current in (
        ('code', run.code, code_sha256(setting.tools)),
        ('data', run.records, records_sha256(setting.store, setting.training_split)),
    ):
        if planned != current:
            raise RunError(
                f'the {what} is no longer that of the plan ({current[:12]} instead of '
                f'{planned[:12]}): start the command again'
            )


def _call(command: list[str], run: Run, threads: int, lock: int) -> None:
    """Run a command. It holds the lock too, also after this process is killed."""
    variables = os.environ | run.setting.variables | dict(OMP_NUM_THREADS=str(threads))
    path = run.folder / 'log.txt'
    with open(path, 'a', encoding='utf-8') as log:
        code = subprocess.run(
            command, env=variables, stdout=log, stderr=log, pass_fds=[lock], check=False
        ).returncode
    if code:
        last = path.read_text(encoding='utf-8').strip().splitlines()[-2:]
        raise RunError(f'exit code {code}, see {path}: {" | ".join(last)}')


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Lock a file for the duration of the block, and give its file descriptor.

    The commands inherit the descriptor, so the lock lasts until they end, even if this process is
    killed. A lock of ``utils/locks.py`` would end with this process.
    """
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f'{path.parent}: another process is at this run') from error
        yield file.fileno()
