"""Paths that cannot be used are refused at once, by name."""

import pytest

from xaicovid_mm.cli.paths import checkpoint_file, output_folder, output_picture


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
    output_folder('a/b', '--out')


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
