"""What a stranger gets wrong is told in one line, before any work, and leaves nothing behind."""

import runpy
import shutil
from pathlib import Path

import pytest

from xaicovid_mm.cli.console import main as console
from xaicovid_mm.data_prep.case_table import COLUMNS, SLICE_COLUMNS

HERE = Path(__file__).parents[2]
CONFIG = str(HERE / 'configs/quick/recommended_supervised.py')
NOWHERE = 'nothing can be written there'
DRAWING = {
    'analyze_logs': ['run'],
    'browse_dataset': [CONFIG],
    'confusion_matrix': ['run'],
    'figure_strip': [CONFIG, 'epoch_1.pth'],
    'plot_runs': ['run'],
    'vis_cam': ['scan.nii.gz', '--model', 'model'],
}
"""Tools that draw a picture, with what they need besides ``--out``."""


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; returns its only line of error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('XAICOVID_DEBUG', raising=False)

    def run(main, *arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        line, hint = capsys.readouterr().err.strip().splitlines()[-2:]
        assert stop.value.code == 2 and hint == '(--debug shows the traceback)'
        assert line.startswith('error: ') and list(tmp_path.iterdir()) == []
        return line

    return run


@pytest.mark.parametrize('tool', DRAWING)
@pytest.mark.parametrize('out, why', [('a.xyz', 'end the name in .png'), ('/proc/a.png', NOWHERE)])
def test_a_tool_refuses_a_picture_that_it_could_not_write(refused, tool, out, why):
    main = runpy.run_path(str(HERE / f'tools/analysis_tools/{tool}.py'))['main']
    assert f'--out {out}' in (line := refused(main, *DRAWING[tool], '--out', out)) and why in line


@pytest.mark.parametrize(
    'command',
    [
        ['prepare', 'phantom', '/proc/x'],
        ['prepare', 'check', 'cases.csv', '/proc/x'],
        ['prepare', 'lungs', 'cases.csv', '/proc/x'],
        ['prepare', 'volumes', 'cases.csv', '/proc/x'],
        ['prepare', 'images', 'slices.csv', '/proc/x'],
        ['infer', 'scan.nii.gz', '--model', 'model', '--out', '/proc/x'],
        ['reproduce', '--store', 'store', '--out', '/proc/x'],
    ],
    ids=lambda command: ' '.join(command[:2]),
)
def test_a_command_refuses_a_folder_that_it_could_not_write(refused, command):
    assert f'/proc/x: {NOWHERE}' in refused(console, *command)


def test_the_example_refuses_a_folder_that_it_could_not_write(refused):
    main = runpy.run_path(str(HERE / 'tools/demo/infer_scan.py'))['main']
    assert NOWHERE in refused(main, 'scan.nii.gz', '--model', 'model', '--out', '/proc/x')


def test_a_training_without_its_store_leaves_no_work_dir(refused, monkeypatch):
    monkeypatch.setenv('XAICOVID_STORE', 'missing')
    assert 'missing' in refused(console, 'train', CONFIG, '--work-dir', 'run')


def test_a_training_without_its_split_leaves_no_work_dir(refused, tiny_store, monkeypatch):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setenv('XAICOVID_SPLIT', 'nosuch')
    assert "no split 'nosuch'" in refused(console, 'train', CONFIG, '--work-dir', 'run')


@pytest.mark.parametrize('command, columns', [('volumes', COLUMNS), ('images', SLICE_COLUMNS)])
def test_a_store_whose_first_case_is_refused_leaves_no_folder(
    refused, command, columns, tmp_path_factory
):
    table = tmp_path_factory.mktemp('table') / 'cases.csv'
    cells = dict(case='c1', patient='p1', slice='0', image='missing.png', site='s')
    lines = [','.join(columns), ','.join(cells.get(column, '') for column in columns)]
    table.write_text('\n'.join(lines))
    assert 'missing.png' in refused(console, 'prepare', command, table, 'a/store')


def test_a_plan_on_no_store_leaves_no_folder(refused):
    assert 'is no slice store' in refused(
        console, 'reproduce', '--store', 'missing', '--scale', 'paper'
    )


def test_slices_that_fit_no_picture_are_refused(refused):
    main = runpy.run_path(str(HERE / 'tools/analysis_tools/browse_dataset.py'))['main']
    assert '--num 3000' in refused(main, CONFIG, '--num', 3000)


@pytest.mark.parametrize('tool', ['analysis_tools/plot_runs', 'misc/model_index'])
def test_a_tool_names_a_run_that_is_not_there(refused, tool):
    main = runpy.run_path(str(HERE / f'tools/{tool}.py'))['main']
    assert refused(main, 'run').startswith('error: run ')


@pytest.mark.parametrize('name', ['manifest', 'splits/default'])
def test_a_json_that_holds_a_list_names_the_file_and_what_was_expected(
    tiny_store, tmp_path, monkeypatch, capsys, name
):
    store = shutil.copytree(tiny_store, tmp_path / 'store')
    (store / f'{name}.json').write_text('[]')
    monkeypatch.setenv('XAICOVID_STORE', str(store))
    monkeypatch.delenv('XAICOVID_SPLIT', raising=False)
    with pytest.raises(SystemExit):
        console(['train', CONFIG, '--work-dir', str(tmp_path / 'run')])
    assert f'{name}.json holds a list' in capsys.readouterr().err
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    'text, says', [('x = 1', 'model is not there'), ('model = None', 'model is None')]
)
def test_a_config_without_a_network_says_so(tmp_path, capsys, text, says):
    (tmp_path / 'c.py').write_text(text)
    with pytest.raises(SystemExit):
        console(['train', str(tmp_path / 'c.py'), '--work-dir', str(tmp_path / 'run')])
    assert f'config {says}' in capsys.readouterr().err and not (tmp_path / 'run').exists()
