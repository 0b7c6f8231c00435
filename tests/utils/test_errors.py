"""Errors of the user's data, which carry their parts."""

import pickle

import pytest
from worker_tasks import fail

from xaicovid_mm.utils.errors import (
    DataError,
    ScanError,
    StoreError,
    TableError,
    error_text,
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


@pytest.mark.parametrize(
    'error, words',
    [
        (KeyError('no key a'), 'no key a'),
        (FileNotFoundError(2, 'No such file', 'a.csv'), 'a.csv: No such file'),
        (OSError('disk full'), 'disk full'),
    ],
)
def test_an_error_error_text_has_no_marks_of_python(error, words):
    assert error_text(error) == words
