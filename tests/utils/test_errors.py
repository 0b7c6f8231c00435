"""Errors of the user's data, which carry their parts."""

import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
from worker_tasks import die, fail

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import (
    DataError,
    ScanError,
    StoreError,
    TableError,
    Terminated,
    WorkerLostError,
    error_text,
    show_trace,
    user_errors,
)
from xaicovid_mm.utils.parallel import parallel_map

KINDS = (ScanError, TableError, StoreError)


@pytest.mark.parametrize('kind', KINDS)
def test_the_text_is_what_is_wrong_then_the_remedy(kind):
    error = kind('a.nii.gz is empty', 'export it again')
    assert str(error) == 'a.nii.gz is empty: export it again'
    assert (error.what, error.remedy) == ('a.nii.gz is empty', 'export it again')
    assert isinstance(error, DataError) and isinstance(error, ValueError)


@pytest.mark.parametrize('kind', KINDS)
def test_a_pickled_error_keeps_its_class_and_its_parts(kind):
    error = pickle.loads(pickle.dumps(kind('what: with a colon', 'remedy: with a colon')))
    assert type(error) is kind
    assert (error.what, error.remedy) == ('what: with a colon', 'remedy: with a colon')


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_of_a_worker_process_arrives_with_its_parts(workers):
    with pytest.raises(ScanError) as caught, parallel_map(fail, [ScanError] * 3, workers) as done:
        list(done)
    assert (caught.value.what, caught.value.remedy) == ('a.nii.gz is empty', 'export it again')


def test_a_command_says_an_error_in_one_line_and_ends_with_code_2(capsys):
    with pytest.raises(SystemExit) as stop, user_errors():
        fail(TableError)
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[0] == 'error: a.nii.gz is empty: export it again'


def test_the_traceback_is_shown_on_request(monkeypatch):
    monkeypatch.setenv('XAICOVID_DEBUG', '1')
    with pytest.raises(TableError), user_errors():
        fail(TableError)


class Mute(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    'error, words',
    [
        (Mute(), 'no text'),
        (KeyError('no key a'), 'no key a'),
        (FileNotFoundError(2, 'No such file', 'a.csv'), 'a.csv: No such file'),
        (OSError('disk full'), 'disk full'),
    ],
)
def test_an_error_error_text_has_no_marks_of_python(error, words):
    assert error_text(error) == words


def test_an_error_that_nobody_foresaw_says_what_was_being_done(capsys):
    with pytest.raises(SystemExit) as stop, user_errors('training a.py'):
        {}['state_dict']
    first, _ = capsys.readouterr().err.splitlines()
    assert stop.value.code == 1 and first == 'error: KeyError while training a.py: state_dict'


def test_without_other_words_it_says_the_command_as_it_was_typed(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['/usr/bin/xaicovid', 'prepare', 'info', 'my store'])
    with pytest.raises(SystemExit), user_errors():
        {}['roles']
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "error: KeyError while running xaicovid prepare info 'my store': roles"


@pytest.mark.parametrize('error', [KeyboardInterrupt(), Terminated()])
def test_a_stop_is_one_line_with_the_advice(error, capsys):
    with pytest.raises(SystemExit) as stop, user_errors('training a.py', lambda: 'go on so'):
        raise error
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('stopped by') and line.endswith('while training a.py: go on so')
    assert stop.value.code == (143 if isinstance(error, Terminated) else 130)


def test_sigterm_stops_as_ctrl_c_does(capsys):
    with pytest.raises(SystemExit) as stop, user_errors('training a.py'):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert stop.value.code == 143


@pytest.mark.parametrize(
    'argv, wanted', [(['--debug', 'sub'], True), (['sub', '--debug'], True), (['sub'], False)]
)
def test_debug_is_an_option_of_commands_and_their_parts(argv, wanted):
    parser = CommandParser('x', 'x')
    parser.add_subparsers(required=True).add_parser('sub')
    parser.parse_args(argv)
    try:
        with pytest.raises(TableError if wanted else SystemExit), user_errors():
            fail(TableError)
    finally:
        show_trace(False)


def test_a_killed_worker_ends_the_work_with_a_remedy():
    with pytest.raises(WorkerLostError, match='fewer --workers'):
        with parallel_map(die, [9] * 3, 2) as done:
            list(done)


WITH_LOADER = """
import time, torch
from torch.utils.data import DataLoader
from xaicovid_mm.utils.errors import user_errors

if __name__ == '__main__':
    with user_errors('training a.py'):
        for _ in DataLoader(torch.zeros(10**6), num_workers=2, persistent_workers=True):
            print('one batch', flush=True)
            time.sleep(0.1)
"""


@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_of_all_processes_at_once_is_one_line_too(number, code, tmp_path):
    script = tmp_path / 'train.py'
    script.write_text(WITH_LOADER)
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # nohup ignores it
    )
    assert process.stdout is not None and process.stdout.readline()
    os.killpg(process.pid, number)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert len(told.splitlines()) == 1 and 'while training a.py: start it again' in told


def test_an_error_about_a_name_with_line_feeds_is_one_line(capsys):
    with pytest.raises(SystemExit), user_errors():
        raise FileNotFoundError(2, 'No such file', 'a\n  b\r\nc.csv')
    assert capsys.readouterr().err.splitlines()[0] == 'error: a b c.csv: No such file'
