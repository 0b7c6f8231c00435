"""A config is found where the user is, or among ours."""

from pathlib import Path

import pytest

from xaicovid_mm.engine.config import load_config
from xaicovid_mm.engine.config.files import find_config, project_folder

CONFIG = 'configs/quick/semi_vgg.py'


def test_a_config_of_ours_is_found_from_any_folder_with_what_it_inherits(tmp_path, monkeypatch):
    here = load_config(CONFIG)
    monkeypatch.chdir(tmp_path)
    there = load_config(CONFIG)
    assert there.model == here.model and find_config(CONFIG) == project_folder() / CONFIG


def test_a_config_of_the_user_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = Path(CONFIG)
    mine.parent.mkdir(parents=True)
    mine.write_text('max_epochs = 1\n')
    assert find_config(CONFIG) == mine


def test_a_config_that_is_nowhere_is_named_with_those_near_it():
    with pytest.raises(FileNotFoundError, match=r'quick/semi_vg\.py: no such .*quick/semi_vgg\.py'):
        find_config('configs/quick/semi_vg.py')
