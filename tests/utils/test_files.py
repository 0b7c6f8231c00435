"""Files and folders that appear whole or not at all."""

import csv
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

from xaicovid_mm.utils.errors import DataError, DiskError, user_errors
from xaicovid_mm.utils.files import (
    PARTIAL,
    file_sha256,
    new_file,
    new_folder,
    partial_path,
    read_json,
    remove_folder,
    write_array,
    write_bytes,
    write_csv,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_bytes_and_arrays_come_back(tmp_path):
    write_text(tmp_path / 'a.txt', 'Zürich\n')
    write_bytes(tmp_path / 'a.bin', b'\0\xff')
    write_array(tmp_path / 'a.npy', np.arange(3))
    assert (tmp_path / 'a.txt').read_text(encoding='utf-8') == 'Zürich\n'
    assert (tmp_path / 'a.bin').read_bytes() == b'\0\xff'
    assert np.load(tmp_path / 'a.npy').tolist() == [0, 1, 2]
    assert names(tmp_path) == ['a.bin', 'a.npy', 'a.txt']


def test_a_csv_has_its_header_in_order_and_empty_cells_where_a_row_has_none(tmp_path):
    rows = [dict(b='x, y', a=1), dict(a=2)]
    write_csv(tmp_path / 't.csv', rows, ['a', 'b'])
    with open(tmp_path / 't.csv', newline='', encoding='utf-8') as file:
        assert list(csv.reader(file)) == [['a', 'b'], ['1', 'x, y'], ['2', '']]


def test_a_csv_row_with_a_key_that_is_no_column_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match='extra'):
        write_csv(tmp_path / 't.csv', [dict(a=1, extra=2)], ['a'])
    assert names(tmp_path) == []


def test_a_file_that_fails_half_way_leaves_the_old_content_and_no_other_file(tmp_path):
    write_text(tmp_path / 'a.txt', 'old')
    with pytest.raises(RuntimeError), new_file(tmp_path / 'a.txt') as partial:
        partial.write_text('ne')
        raise RuntimeError
    assert (tmp_path / 'a.txt').read_text() == 'old' and names(tmp_path) == ['a.txt']


def test_a_file_takes_its_name_only_when_it_is_complete(tmp_path):
    with new_file(tmp_path / 'a.txt') as partial:
        partial.write_text('new')
        assert not (tmp_path / 'a.txt').exists()
    assert (tmp_path / 'a.txt').read_text() == 'new' and not partial.exists()


@pytest.mark.parametrize('name', ['lung.nii.gz', 'image.npy', 'case.json'])
def test_the_temporary_name_is_hidden_in_the_same_folder_and_keeps_the_endings(tmp_path, name):
    partial = partial_path(tmp_path / name)
    assert partial.parent == tmp_path and partial.name == f'{PARTIAL}{name}'
    assert partial.name.startswith('.') and partial.name.endswith(name)


def test_the_error_names_the_file_and_says_that_the_old_content_is_untouched(tmp_path):
    missing = tmp_path / 'no folder' / 'a.txt'
    with pytest.raises(OSError) as caught:
        write_text(missing, 'new')
    assert str(missing) in str(caught.value) and 'untouched' in str(caught.value)
    assert caught.value.errno == 2


def test_a_full_disk_names_the_file_and_leaves_the_old_content(tmp_path, monkeypatch):
    write_text(tmp_path / 'a.txt', 'old')

    def full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='a.txt: No space left on device.*free space'):
        write_text(tmp_path / 'a.txt', 'new')
    assert (tmp_path / 'a.txt').read_text() == 'old' and names(tmp_path) == ['a.txt']


def test_an_array_that_the_disk_takes_in_part_is_a_full_disk(tmp_path, monkeypatch, capsys):
    def half(file, array):
        file.write(b'half')
        raise OSError('868352 requested and 343936 written')  # as numpy says it, without errno

    monkeypatch.setattr(np, 'save', half)
    with pytest.raises(SystemExit) as stop, user_errors():
        write_array(tmp_path / 'a.npy', np.zeros(3))
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.startswith(f'error: cannot write {tmp_path / "a.npy"}')
    assert 'the disk is full or refuses (868352 requested' in said and not names(tmp_path)


def test_the_error_of_a_full_disk_in_a_worker_stands_alone(capsys):
    there_and_back = pickle.loads(pickle.dumps(DiskError(28, 'cannot write a.npy: No space')))
    with pytest.raises(SystemExit) as stop, user_errors():
        raise there_and_back
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[0] == 'error: cannot write a.npy: No space'


KILLED = """
import os, signal, sys
from xaicovid_mm.utils.files import new_file, new_folder
write = new_folder if sys.argv[2] == 'folder' else new_file
with write(sys.argv[1]) as partial:
    (partial / 'a.txt' if partial.is_dir() else partial).write_text('ne')
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_a_kill_during_the_write_leaves_the_old_content_and_the_next_write_cleans_up(
    tmp_path, kind
):
    path = tmp_path / 'thing'
    fill(path, kind, 'old')
    command = [sys.executable, '-c', KILLED, str(path), kind]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    assert content(path) == 'old'
    assert names(tmp_path) == [f'{PARTIAL}thing', 'thing']
    fill(path, kind, 'new')
    assert content(path) == 'new' and names(tmp_path) == ['thing']


BETWEEN = """
import os, signal, sys
from pathlib import Path
from xaicovid_mm.utils.files import new_folder
rename = Path.rename
def killed(self, target):
    if Path(target).name == 'thing':
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = killed
with new_folder(sys.argv[1]) as partial:
    (partial / 'a.txt').write_text('new')
"""


def test_a_kill_between_the_old_folder_and_the_new_loses_neither(tmp_path):
    path = tmp_path / 'thing'
    fill(path, 'folder', 'old')
    assert subprocess.run([sys.executable, '-c', BETWEEN, str(path)]).returncode == -signal.SIGKILL
    assert sorted(content(folder) for folder in tmp_path.iterdir()) == ['new', 'old']
    with pytest.raises(RuntimeError), new_folder(path):
        assert content(path) == 'old'
        raise RuntimeError
    assert names(tmp_path) == ['thing'] and content(path) == 'old'
    fill(path, 'folder', 'newer')
    assert content(path) == 'newer' and names(tmp_path) == ['thing']


def fill(path, kind, text):
    if kind == 'file':
        write_text(path, text)
    else:
        with new_folder(path) as partial:
            write_text(partial / 'a.txt', text)


def content(path):
    return (path / 'a.txt' if path.is_dir() else path).read_text()


def test_a_folder_takes_its_name_only_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / 'deep' / 'case') as partial:
        (partial / 'a.txt').write_text('new')
        assert not (tmp_path / 'deep' / 'case').exists()
    assert names(tmp_path / 'deep') == ['case'] and content(tmp_path / 'deep' / 'case') == 'new'


def test_a_folder_that_fails_half_way_leaves_the_old_one_and_no_other(tmp_path):
    fill(tmp_path / 'case', 'folder', 'old')
    with pytest.raises(RuntimeError), new_folder(tmp_path / 'case') as partial:
        (partial / 'b.txt').write_text('new')
        raise RuntimeError
    assert names(tmp_path) == ['case'] and names(tmp_path / 'case') == ['a.txt']


def test_a_new_folder_replaces_the_old_one_with_all_that_was_in_it(tmp_path):
    fill(tmp_path / 'case', 'folder', 'old')
    with new_folder(tmp_path / 'case') as partial:
        (partial / 'b.txt').write_text('new')
    assert names(tmp_path) == ['case'] and names(tmp_path / 'case') == ['b.txt']


def test_a_folder_that_does_not_exist_is_removed_without_an_error(tmp_path):
    fill(tmp_path / 'case', 'folder', 'old')
    for _ in range(2):
        remove_folder(tmp_path / 'case')
        assert names(tmp_path) == []


def test_the_sha256_is_that_of_the_whole_file(tmp_path):
    (tmp_path / 'a').write_bytes(b'abc')
    assert file_sha256(tmp_path / 'a').startswith('ba7816bf8f01cfea')
    (tmp_path / 'b').write_bytes(b'abc' * 2**20)
    assert file_sha256(tmp_path / 'b') != file_sha256(tmp_path / 'a')


def test_a_pipe_is_never_replaced_by_a_file(tmp_path):
    """Nor is a device: the superuser could."""
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='pipe: it is a folder or a device'):
        write_text(tmp_path / 'pipe', 'x')
    assert (tmp_path / 'pipe').is_fifo() and names(tmp_path) == ['pipe']


@pytest.mark.parametrize(
    'content, why',
    [
        (b'', 'is no JSON'),
        (b'{"a": ', 'is no JSON'),
        (bytes(range(256)), 'is no JSON'),
        (b'[' * 100_000, 'is no JSON'),
        (b'[1]', 'holds a list, an object is expected'),
        (None, 'cannot be read .No such file'),
    ],
)
def test_what_is_no_json_object_is_refused_by_name_with_the_remedy(content, why, tmp_path):
    if content is not None:
        (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(DataError, match=f'a.json {why}.*: make it again'):
        read_json(tmp_path / 'a.json', 'make it again')


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_a_json_object_is_read_in_any_encoding_of_unicode(encoding, tmp_path):
    (tmp_path / 'a.json').write_text('{"a": "é"}', encoding=encoding)
    assert read_json(tmp_path / 'a.json', '') == {'a': 'é'}
