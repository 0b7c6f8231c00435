"""Two processes never write the same folder."""

import json
import os
import subprocess
import sys

import pytest
from at_once import at_once

from xaicovid_mm.utils.locks import LOCKS, LockedError, lock_owner, locked

HOLD = """
import sys, time
from pathlib import Path
from xaicovid_mm.utils.locks import locked
with locked(Path(sys.argv[1]), 'x'):
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    lock = tmp_path / '.lock'
    process = subprocess.Popen([sys.executable, '-c', HOLD, str(lock)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b'held\n'
    yield lock, process
    process.kill()
    process.wait()


def test_a_lock_that_is_held_is_refused_and_its_process_named(holder):
    lock, process = holder
    with pytest.raises(LockedError, match=f'writing a: process {process.pid} on'):
        with locked(lock, 'writing a'):
            pass
    assert str(process.pid) in lock_owner(lock)


def test_the_lock_of_a_killed_process_blocks_nobody(holder):
    lock, process = holder
    process.kill()
    process.wait()
    assert lock_owner(lock) is None
    with locked(lock, 'writing a'):
        assert str(os.getpid()) in lock_owner(lock)
    assert lock_owner(lock) is None


def test_a_record_that_cannot_be_read_names_nobody(tmp_path):
    for text in ('', '[]', json.dumps(dict(pid='x', host=1))):
        (tmp_path / '.lock.owner').write_text(text)
        assert lock_owner(tmp_path / '.lock') is None


def _take_and_leave(folder, name):
    """Hold the only lock of a folder, again and again, each time for no time at all."""
    for _ in range(300):
        with locked(folder / LOCKS / name, 'x'):
            pass


def test_locks_that_come_and_go_at_once_with_their_folder_are_all_had(tmp_path):
    ends = at_once(*[lambda name=name: _take_and_leave(tmp_path, name) for name in 'ab'])
    assert not any(text for _, text in ends), ends
    assert not (tmp_path / LOCKS).exists()


@pytest.mark.parametrize('folder', ['a file', '/proc/no such'])
def test_a_folder_of_locks_that_cannot_be_made_is_named(folder, tmp_path):
    (tmp_path / 'a file').touch()
    with pytest.raises(OSError, match='a file|no such'), locked(tmp_path / folder / 'a', 'x'):
        pass
