"""Paths that cannot be used are refused at once, by name."""

import pytest

from xaicovid_mm.cli.paths import checkpoint_file, output_folder


@pytest.mark.parametrize('path', ['/proc/x', '/proc/self', '/dev/null/x'])
def test_a_folder_where_nothing_can_be_written_is_refused_with_its_option(path):
    with pytest.raises(OSError, match=f'--out {path}: nothing can be written there'):
        output_folder(path, '--out')


def test_a_file_is_no_folder_and_stays(tmp_path):
    (tmp_path / 'a').write_text('x')
    with pytest.raises(OSError, match='--out'):
        output_folder(tmp_path / 'a', '--out')
    assert (tmp_path / 'a').read_text() == 'x'


def test_a_folder_is_made_and_left_empty(tmp_path):
    assert list(output_folder(tmp_path / 'a' / 'b', '--out').iterdir()) == []


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
