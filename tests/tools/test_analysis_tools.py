"""The analysis commands start from any folder, and the training benchmark measures all parts."""

import json
import runpy
from pathlib import Path

import pytest

FOLDER = Path('tools/analysis_tools').resolve()
COMMANDS = sorted(path.name for path in FOLDER.glob('*.py'))


def command(name, monkeypatch):
    """The ``main`` of a command, loaded as Python does: its folder is on the path."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return runpy.run_path(str(FOLDER / name))['main']


@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_shows_its_help_from_another_folder(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        command(name, monkeypatch)(['--help'])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert f'python tools/analysis_tools/{name}' in printed.replace('\\\n', '')


@pytest.mark.slow
def test_the_training_benchmark_measures_steps_labels_and_memory(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'out.json'
    small = '--synthetic 32 --steps 1 --warmup 0 --label-slices 2 --no-memory'.split()
    main = command('benchmark_train.py', monkeypatch)
    main(['configs/quick/semi_vgg.py', *small, '--out', str(out)])
    figures = json.loads(out.read_text())
    assert figures['steps']['semi']['parts']['saliency'] > 0
    assert figures['steps'].keys() >= {'bare', 'supervised', 'semi', 'ratios'}
    assert figures['saliency']['cosine'].keys() == {'ours', 'captum'}
    assert figures['labels'][0]['agreement'] == pytest.approx(100)
    assert 'semi / supervised' in capsys.readouterr().out
