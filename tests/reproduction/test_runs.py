"""A run counts only when it is whole, and is of this config, data and code."""

import fcntl
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.engine.checkpoint import POINTER
from xaicovid_mm.reproduction import execution, fingerprint
from xaicovid_mm.reproduction.execution import RunError, execute
from xaicovid_mm.reproduction.fingerprint import (
    arrays_sha256,
    code_sha256,
    commit_of,
    records_sha256,
)
from xaicovid_mm.reproduction.paper_tables import PAPER
from xaicovid_mm.reproduction.planning import plan
from xaicovid_mm.reproduction.runs import DONE
from xaicovid_mm.reproduction.systems import (
    BENCHMARK,
    RECOMMENDED_PARTS,
    SYSTEMS,
    TABLES,
    choose_systems,
)


def one(setting, name='ours_sup', seed=0):
    (run,) = plan({name: SYSTEMS[name]}, [seed], [setting])
    return run


def test_a_run_that_is_trained_and_tested_is_done(runs):
    assert [run.is_done() for run in runs] == [True, True, False]
    assert runs[0].checkpoint.is_file() and (runs[0].tested / 'infection.csv').is_file()
    assert (runs[0].tested / 'strip.png').is_file()  # a row of Fig. 4


def test_a_run_that_is_done_is_not_done_again(runs, monkeypatch):
    monkeypatch.setattr(execution, '_call', lambda *_: pytest.fail('it was started again'))
    execute(runs[0], threads=1)


def test_the_last_checkpoint_says_how_far_a_run_is(runs, setting, tmp_path):
    assert [run.epochs_trained() for run in runs] == [2, 2, 0]
    run = one(replace(setting, root=tmp_path))
    run.folder.mkdir(parents=True)
    for text, epochs in (('epoch_1.pth', 1), ('epoch_12.pth', 12), ('', 0), ('../epoch_1.pth', 0)):
        (run.folder / POINTER).write_text(text)
        assert run.epochs_trained() == epochs


def test_a_trained_run_without_its_test_is_only_tested(runs, monkeypatch):
    started = []
    monkeypatch.setattr(execution, '_call', lambda command, *_: started.append(command[1]))
    done = runs[0].tested / DONE
    text = done.read_text()
    done.unlink()
    assert not runs[0].is_done()
    execute(runs[0], threads=1)
    done.write_text(text)
    assert [name.rpartition('/')[2] for name in started] == ['test.py']


@pytest.mark.parametrize('name', ['report.json', 'infection.csv', 'diagnosis.csv'])
def test_figures_that_were_changed_are_not_counted(runs, name):
    path = runs[0].tested / name
    before = path.read_bytes()
    path.write_bytes(before + b' ')
    counted = runs[0].is_done()
    path.write_bytes(before)
    assert not counted and runs[0].is_done()


def test_figures_of_another_fingerprint_are_not_counted(runs):
    done = json.loads((runs[0].tested / DONE).read_text())
    assert done['identity'] == runs[0].fingerprint
    assert not replace(runs[0], fingerprint='f' * 64).is_done()


def test_a_run_is_known_by_config_seed_data_and_code(setting, monkeypatch):
    first = one(setting)
    assert one(setting).fingerprint == first.fingerprint
    assert one(setting, seed=1).fingerprint != first.fingerprint
    assert one(setting, 'ours_semi').fingerprint != first.fingerprint
    monkeypatch.setattr('xaicovid_mm.reproduction.fingerprint.version', lambda name: '0')
    assert one(setting).fingerprint != first.fingerprint


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_the_commands_are_code_too(tmp_path, tool):
    for name in ('train.py', 'test.py'):
        (tmp_path / name).write_text('pass')
    before = code_sha256(tmp_path)
    (tmp_path / tool).write_text('raise')
    assert code_sha256(tmp_path) != before


@pytest.mark.parametrize(
    'path, counts',
    [
        ('cli/train.py', True),
        ('cli/test.py', True),
        ('engine/hooks/start.py', True),
        ('data_prep/io/dicom/series.py', True),
        ('classes.py', True),
        ('cli/infer.py', False),
        ('apis/outputs/report.py', False),
        ('reproduction/report.py', False),
    ],
)
def test_the_code_of_a_run_is_what_trains_and_tests(tmp_path, monkeypatch, path, counts):
    package, tools = tmp_path / 'package', tmp_path / 'tools'
    commands = [package / 'cli' / name for name in fingerprint.COMMANDS]
    for file in (*commands, package / path):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('pass')
    tools.mkdir()
    for name in ('train.py', 'test.py'):
        (tools / name).write_text('pass')
    monkeypatch.setattr(fingerprint, 'PACKAGE', package)
    before = code_sha256(tools)
    (package / path).write_text('raise')
    assert (code_sha256(tools) != before) == counts


def test_every_folder_that_is_no_part_of_a_run_exists():
    assert all((fingerprint.PACKAGE / name).is_dir() for name in fingerprint.NOT_IN_A_RUN)


def test_a_commit_is_known_of_a_checkout_without_changes(tmp_path):
    assert commit_of(tmp_path) is None  # no checkout
    git = ['git', '-C', str(tmp_path), '-c', 'user.name=n', '-c', 'user.email=e@x']
    (tmp_path / 'a.txt').write_text('a')
    for words in (['init', '-q'], ['add', 'a.txt'], ['commit', '-qm', 'first']):
        subprocess.run([*git, *words], check=True)
    assert re.fullmatch('[0-9a-f]{40}', commit_of(tmp_path))
    (tmp_path / 'a.txt').write_text('b')
    assert commit_of(tmp_path) is None


def test_other_pixels_are_other_data(setting, tmp_path):
    store = tmp_path / 'store'
    shutil.copytree(setting.store, store)
    before = arrays_sha256(store)
    assert before == arrays_sha256(setting.store)
    path = sorted(store.rglob('image.npy'))[0]
    pixels = np.load(path)
    pixels[0, 0, 0] += 1
    np.save(path, pixels)
    assert arrays_sha256(store) != before


@pytest.mark.parametrize('what', ['code', 'records'])
@pytest.mark.parametrize('step', [0, 1])
def test_a_change_beside_a_run_ends_it_uncounted(setting, tmp_path, monkeypatch, what, step):
    """Before the first command, and between training and test."""
    run, calls = one(replace(setting, root=tmp_path)), []
    name = f'{what}_sha256'
    monkeypatch.setattr(execution, '_call', lambda *_: calls.append(1))
    real = getattr(execution, name)
    monkeypatch.setattr(execution, name, lambda *a: real(*a) if len(calls) < step else 'f' * 64)
    with pytest.raises(RunError, match='no longer that of the plan .*start the command again'):
        execute(run, threads=1)
    assert len(calls) == step and not run.is_done()


@pytest.mark.parametrize('text', ['', '{', '[]', '{}', 'null', '{"identity": 1}'])
def test_a_damaged_record_counts_as_none(runs, text):
    path = runs[0].tested / DONE
    before = path.read_text()
    path.write_text(text)
    counted = runs[0].is_done()
    path.write_text(before)
    assert not counted and runs[0].is_done()


def test_a_last_checkpoint_that_is_gone_is_trained_again(setting, tmp_path, monkeypatch):
    run, started = one(replace(setting, root=tmp_path)), []
    monkeypatch.setattr(execution, '_call', lambda command, *_: started.append(command[1]))
    run.folder.mkdir(parents=True)
    (run.folder / POINTER).write_text('epoch_2.pth')
    execute(run, threads=1)
    assert [Path(name).name for name in started] == ['train.py', 'test.py']


def test_a_split_with_nobody_to_score_is_refused_before_any_training(setting):
    store = SliceStore(setting.store)
    patients = {'labelled': ['p00', 'p10', 'p20']}
    write_split(store, 'nobody', patients)
    with pytest.raises(ValueError, match="'nobody' has no test patients to score"):
        one(replace(setting, split='nobody'))


def test_another_split_is_other_data(setting):
    store = SliceStore(setting.store)
    patients = {role: [f'p0{k}', f'p1{k}', f'p2{k}'] for k, role in enumerate(('labelled', 'test'))}
    write_split(store, 'other', patients)
    first, second = (records_sha256(setting.store, name) for name in ('other', 'default'))
    assert first != second
    assert one(replace(setting, split='other')).data != one(setting).data


def test_where_a_store_lies_is_no_matter(setting, tmp_path):
    (tmp_path / 'moved').symlink_to(setting.store)
    assert one(replace(setting, store=tmp_path / 'moved')).fingerprint == one(setting).fingerprint


def test_options_that_say_what_the_config_says_make_no_other_run(setting):
    """Two epochs: the CAM loss of the quick configs starts in epoch 8, a half is epoch 1."""
    same = replace(SYSTEMS['ours_sup'], options=lambda _: {'default_hooks.cam_loss_start.begin': 8})
    (run,) = plan({'same': same}, [0], [setting])
    assert run.folder == one(setting).folder
    assert one(setting, 'cam_start_0').folder != run.folder


def test_what_fails_is_not_counted_and_its_log_is_named(setting, tmp_path):
    run = one(replace(setting, role='val', root=tmp_path), seed=5)
    broken = replace(run, options=(*run.options, 'train_cfg.max_epochs=none'))
    with pytest.raises(RunError, match=r"log\.txt: error: .*'none'"):
        execute(broken, threads=1)
    assert not broken.is_done()


def test_two_processes_never_train_the_same_run(runs, setting, tmp_path):
    run = one(replace(setting, root=tmp_path))
    run.folder.mkdir(parents=True)
    with open(run.folder / 'lock', 'w') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RunError, match='another process'):
            execute(run, threads=1)


def test_a_config_a_split_and_a_store_that_are_not_there_are_named(setting, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'vgg16\.py.*vgg16'):
        one(setting, 'vgg16')
    with pytest.raises(FileNotFoundError, match=r'splits/none\.npy'):
        one(replace(setting, split='none'))
    with pytest.raises(FileNotFoundError, match='manifest'):
        one(replace(setting, store=tmp_path))


def test_rows_are_chosen_by_name():
    assert list(choose_systems(['unet', 'ours_sup'])) == ['unet', 'ours_sup']
    assert set(choose_systems(None)) == set(SYSTEMS) - set(RECOMMENDED_PARTS)
    assert set(choose_systems(list(BENCHMARK))) >= {row for row in PAPER['IV']}
    with pytest.raises(ValueError, match=r"\['lenet'\].*segnet"):
        choose_systems(['lenet'])


def test_every_system_is_in_a_table_and_every_row_is_a_system():
    assert {row for table in TABLES for row in table.rows} == set(SYSTEMS)
