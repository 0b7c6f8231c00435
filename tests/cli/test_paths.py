"""Paths that cannot be used are refused at once, by name."""

from pathlib import Path

import pytest

from xaicovid_mm.cli.paths import (
    checkpoint_file,
    new_work_dir,
    output_file,
    output_folder,
    output_picture,
)
from xaicovid_mm.utils.locks import LockedError


@pytest.mark.parametrize('path', ['/proc/x', '/proc/self', '/dev/null/x'])
def test_a_folder_where_nothing_can_be_written_is_refused_with_its_option(path):
    with pytest.raises(OSError, match=f'--out {path}: nothing can be written there'):
        output_folder(path, '--out')


def test_a_file_is_no_folder_and_stays(tmp_path):
    (tmp_path / 'a').write_text('x')
    with pytest.raises(OSError, match='--out'):
        output_folder(tmp_path / 'a', '--out')
    assert (tmp_path / 'a').read_text() == 'x'


def test_a_look_at_a_path_makes_nothing(tmp_path):
    assert output_folder(tmp_path / 'a' / 'b', '--out') == tmp_path / 'a' / 'b'
    assert output_picture(tmp_path / 'a' / 'b.png') == tmp_path / 'a' / 'b.png'
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_that_is_not_there_yet_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert output_folder('a/b', '--out') == Path('a/b')


@pytest.mark.parametrize(
    'name, why',
    [
        ('a.xyz', 'end the name in .png or .pdf'),
        ('folder.png', 'is a folder: name a file in it'),
        ('file/a.png', 'nothing can be written there'),
        ('/proc/a.png', 'nothing can be written there'),
    ],
)
def test_a_picture_that_cannot_be_written_is_refused_with_its_option(name, why, tmp_path):
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'file').write_text('x')
    with pytest.raises((OSError, ValueError), match=f'--out .*{name}.*{why}'):
        output_picture(tmp_path / name)


def test_a_work_dir_in_place_of_a_checkpoint_names_its_newest(tmp_path):
    for number in (1, 12):
        (tmp_path / f'epoch_{number}.pth').touch()
    with pytest.raises(FileNotFoundError, match=r'did you mean .*epoch_12.pth'):
        checkpoint_file(tmp_path)
    assert checkpoint_file(tmp_path / 'epoch_1.pth').name == 'epoch_1.pth'


def test_a_relative_path_says_from_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f'a.pth .looked for in {tmp_path}. is no check'):
        checkpoint_file('a.pth')


def test_a_folder_or_a_device_is_no_place_for_a_file(tmp_path):
    with pytest.raises(OSError, match=f'--out {tmp_path} is a folder: name a file in it'):
        output_file(tmp_path)
    with pytest.raises(OSError, match='--out /dev/null is a device: name a file'):
        output_file('/dev/null')
    assert output_file(tmp_path / 'a.json') == tmp_path / 'a.json'


def fail_in(folder, begun, error=ValueError):
    with pytest.raises(error), new_work_dir(folder, lambda: begun):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'run.log').touch()
        raise error('')


def test_a_run_that_fails_before_it_has_begun_leaves_no_new_folder(tmp_path):
    for error in (ValueError, KeyboardInterrupt):
        fail_in(tmp_path / 'a' / 'b', begun=False, error=error)
        assert list(tmp_path.iterdir()) == []


def test_what_was_there_before_stays_and_so_does_what_has_begun_or_is_anothers(
    tmp_path, monkeypatch
):
    old = tmp_path / 'old'
    old.mkdir()
    fail_in(old, begun=False)
    fail_in(tmp_path / 'begun', begun=True)
    fail_in(tmp_path / 'locked', begun=False, error=LockedError)
    monkeypatch.setenv('RANK', '1')
    fail_in(tmp_path / 'rank', begun=False)
    names = [path.parent.name for path in sorted(tmp_path.rglob('run.log'))]
    assert names == ['begun', 'locked', 'old', 'rank']


def test_a_run_that_ends_well_keeps_its_folder(tmp_path):
    with new_work_dir(tmp_path / 'a', lambda: False):
        (tmp_path / 'a').mkdir()
    assert (tmp_path / 'a').is_dir()
