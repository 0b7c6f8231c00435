"""The commands of the README, by main(argv) and as processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from commands import SHORT, configs_of, run
from mmengine import Config
from mmengine.registry import init_default_scope

from xaicovid_mm.apis import init_model
from xaicovid_mm.apis.model_folder.files import read_description
from xaicovid_mm.cli.test_run import _draw
from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.registry import MODELS

pytestmark = pytest.mark.usefixtures('store')
CONFIG = 'configs/quick/semi_vgg.py'
OPTIONS = [
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'default_hooks.pseudo_label.start_epoch=1',
    'default_hooks.pseudo_label_audit.interval=1',
    *SHORT,
]


@pytest.fixture(scope='module')
def trained(tiny_store, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    with configs_of(tiny_store):
        run('train', CONFIG, '--work-dir', work_dir, '--cfg-options', *OPTIONS)
    return work_dir


def test_training_leaves_checkpoints_and_an_audit_by_epoch(trained):
    assert (trained / 'epoch_2.pth').is_file()
    lines = (trained / 'pseudo_label_audit.jsonl').read_text().splitlines()
    assert [json.loads(line)['epoch'] for line in lines] == [1, 2]
    assert set(json.loads(lines[0])) >= {'caam', 'saliency', 'prob', 'fused', 'evidence'}


def test_a_trained_model_can_be_loaded_and_used(trained):
    model = init_model(CONFIG, trained / 'epoch_2.pth')
    logits, masks = model(torch.rand(1, 1, 32, 32))
    same = init_model(Config.fromfile(CONFIG).to_dict(), trained / 'epoch_2.pth')
    assert all(torch.equal(v, same.state_dict()[k]) for k, v in model.state_dict().items())
    assert not model.training and logits.shape == (1, 3) and masks.shape == (1, 1, 32, 32)


def test_testing_writes_the_table_and_the_strip(trained, capsys):
    pictures = trained / 'pictures'
    run('test', CONFIG, trained / 'epoch_2.pth', '--show-dir', pictures, '--num', 2)
    assert 'seg/dice_slice_mean' in capsys.readouterr().out
    report = json.loads((trained / 'test_test' / 'report.json').read_text())
    assert report['scores']['seg/dice_slice_mean']['patients'] == 3
    assert (pictures / 'strip.png').is_file()


def test_rows_of_an_earlier_test_are_never_reported(trained, tmp_path, capsys):
    """A test without masks writes no rows of masks; those of a test before are not its own."""
    config, tested = tmp_path / 'classes.py', tmp_path / 'tested'
    config.write_text(
        f"_base_ = '{Path(CONFIG).absolute()}'\ntest_evaluator = [dict(type='DiagnosisMetric')]\n"
    )
    run('test', CONFIG, trained / 'epoch_2.pth', '--work-dir', tested)
    assert (tested / 'infection.csv').is_file()
    run('test', config, trained / 'epoch_2.pth', '--work-dir', tested)
    scores = json.loads((tested / 'report.json').read_text())['scores']
    assert scores and all(name.startswith('cls/') for name in scores)


def test_what_the_views_disagree_about_stands_beside_the_doubt(trained, tmp_path, capsys):
    run('test', CONFIG, trained / 'epoch_2.pth', '--work-dir', tmp_path, '--tta')
    assert 'by disagreement' in ' '.join(capsys.readouterr().out.split())
    referral = json.loads((tmp_path / 'report.json').read_text())['referral']
    assert 0 <= referral['missed_mask']['disagreement']['aurc'] <= 1
    second = ['--second', trained / 'epoch_2.pth']
    run('test', CONFIG, trained / 'epoch_2.pth', '--work-dir', tmp_path, *second)
    report = json.loads((tmp_path / 'report.json').read_text())
    same = report['referral']['missed_mask']
    assert same['disagreement']['aurc'] == pytest.approx(same['risk'])  # it agrees with itself
    assert report['tested']['second_sha256'] == report['tested']['checkpoint_sha256']


@pytest.mark.parametrize(
    'name, said, maps',
    [
        ('resnet18', 'the map caam is left out, as the network cannot give it', ['saliency']),
        ('unet_narrow', 'no map is scored: the network has no cls_head', []),
    ],
)
def test_maps_that_a_network_cannot_give_are_left_out_of_its_test(
    name, said, maps, tiny_store, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('XAICOVID_SCALE', 'quick')
    write_split(SliceStore(tiny_store), 'two sites', {'test': ['p00', 'p22', 'p23']})
    monkeypatch.setenv('XAICOVID_SPLIT', 'two sites')
    config, weights = f'configs/comparison/{name}.py', tmp_path / 'new.pth'
    init_default_scope('xaicovid_mm')
    network = MODELS.build(load_config(config).model)
    torch.save(dict(state_dict=network.state_dict(), meta={}), weights)
    options = ['--explain', '--allow-changes', '--work-dir', tmp_path, '--cfg-options', *SHORT]
    run('test', config, weights, *options, 'log_level=WARNING')
    assert said in ' '.join(capsys.readouterr().out.split())
    report = json.loads((tmp_path / 'report.json').read_text())
    for scores in (report['scores'], *report['sites'].values()):
        explained = {score.split('/')[1] for score in scores if score.startswith('explain/')}
        assert explained - {'blank', 'intensity', 'random'} == {*maps}


def test_a_store_without_unlabelled_slices_can_be_tested_if_another_split_is_meant(
    trained, tiny_store, tmp_path, monkeypatch, capsys
):
    write_split(SliceStore(tiny_store), 'bare', {'test': ['p00', 'p10', 'p20']})
    monkeypatch.setenv('XAICOVID_SPLIT', 'bare')
    options = ['--work-dir', tmp_path, '--show-dir', tmp_path]
    with pytest.raises(SystemExit):
        run('test', CONFIG, trained / 'epoch_2.pth', *options)
    assert "another split 'default', now 'bare'" in capsys.readouterr().err
    run('test', CONFIG, trained / 'epoch_2.pth', *options, '--allow-changes')
    tested = json.loads((tmp_path / 'report.json').read_text())['tested']
    assert (tmp_path / 'strip.png').is_file() and tested['split'] == 'bare'
    assert tested['trained_with']['split'] == 'default'
    assert tested['trained_with']['split_sha256'] != tested['split_sha256']


def test_one_class_is_refused_before_the_first_step(tiny_store, tmp_path, monkeypatch, capsys):
    patients = dict(labelled=['p20'], unlabelled=['p21'], val=['p22'])
    write_split(SliceStore(tiny_store), 'ill', patients)
    monkeypatch.setenv('XAICOVID_SPLIT', 'ill')
    with pytest.raises(SystemExit):
        run('train', CONFIG, '--work-dir', tmp_path, '--cfg-options', *OPTIONS)
    assert "validation slices of ['COVID-19'] alone" in capsys.readouterr().err
    assert not list(tmp_path.glob('*.pth'))


def test_without_infection_there_is_no_strip_and_no_error(tmp_path, capsys):
    healthy = dict(sample_id='a/0', case='a', patient='a', tp=0, fp=3, fn=0)
    _draw(None, SimpleNamespace(), tmp_path / 'strip.png', [healthy], 2)
    assert 'no figure strip' in capsys.readouterr().out and not any(tmp_path.iterdir())


def test_a_tested_checkpoint_becomes_a_folder_that_explains_itself(trained, tmp_path):
    checkpoint, folder = trained / 'epoch_2.pth', tmp_path / 'model'
    run('test', CONFIG, checkpoint, '--role', 'val')
    run('publish_model', CONFIG, checkpoint, folder, '--aggregation', 'top_k')
    images = torch.rand(2, 1, 32, 32)
    ours, theirs = init_model(folder)(images), init_model(CONFIG, checkpoint)(images)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    said = read_description(folder)
    assert said['provenance']['split_sha256'] and said['provenance']['config_sha256']
    assert said['calibration']['aggregation'] == 'top_k' and said['validation']['role'] == 'val'
    card = (folder / 'README.md').read_text()
    assert 'confidence of a patient is not calibrated**: 3 patients, at least 10' in card
    assert 'not a medical device' in card and 'seg/dice_slice_mean' in card
    assert (folder / 'reliability.png').read_bytes().startswith(b'\x89PNG')


def test_a_test_of_another_checkpoint_does_not_vouch_for_this_one(trained, tmp_path, capsys):
    tested = tmp_path / 'tested'
    run('test', CONFIG, trained / 'epoch_2.pth', '--role', 'val', '--work-dir', tested)
    with pytest.raises(SystemExit):
        run('publish_model', CONFIG, trained / 'epoch_1.pth', tmp_path / 'm', '--tested', tested)
    assert 'tested the checkpoint' in capsys.readouterr().err
    assert not (tmp_path / 'm').exists()


def same_weights(one, other):
    ours, theirs = (torch.load(d / 'epoch_2.pth', weights_only=True) for d in (one, other))
    states = ours['state_dict'] | ours.get('ema_state_dict', {})
    others = theirs['state_dict'] | theirs.get('ema_state_dict', {})
    return states.keys() == others.keys() and all(torch.equal(states[k], others[k]) for k in others)


def test_resume_goes_on_from_the_newest_checkpoint(trained, tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes((trained / 'epoch_1.pth').read_bytes())
    run('train', CONFIG, '--work-dir', tmp_path, '--resume', '--cfg-options', *OPTIONS)
    assert same_weights(tmp_path, trained)


@pytest.mark.slow
def test_resume_takes_an_average_that_teaches_and_a_ramp_along(trained, tmp_path):
    config, whole = tmp_path / 'ema.py', tmp_path / 'whole'
    config.write_text(
        f"_base_ = '{Path(CONFIG).absolute()}'\n"
        "custom_hooks = [dict(type='EMAHook', momentum=0.1)]\n"
        "default_hooks = dict(pseudo_label=dict(teacher='ema', ramp_epochs=3))\n"
    )
    options = ['--cfg-options', *(o.replace('start_epoch=1', 'start_epoch=0') for o in OPTIONS)]
    run('train', config, '--work-dir', whole, *options)
    (tmp_path / 'epoch_1.pth').write_bytes((whole / 'epoch_1.pth').read_bytes())
    run('train', config, '--work-dir', tmp_path, '--resume', *options)
    assert same_weights(tmp_path, whole) and not same_weights(trained, whole)


@pytest.mark.slow
def test_a_killed_run_of_the_method_ends_where_the_uninterrupted_one_does(trained, tmp_path):
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join([os.getcwd(), *sys.path])}
    command = [sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(tmp_path)]
    process = subprocess.Popen([*command, '--cfg-options', *OPTIONS], env=env)
    deadline = time.monotonic() + 120
    while not (tmp_path / 'epoch_1.pth').is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL and not (tmp_path / 'epoch_2.pth').is_file()
    run('train', CONFIG, '--work-dir', tmp_path, '--resume', '--cfg-options', *OPTIONS)
    assert same_weights(tmp_path, trained)


def test_a_missing_store_says_how_to_make_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('XAICOVID_STORE', str(tmp_path / 'nowhere'))
    with pytest.raises(SystemExit) as stop:
        run('train', CONFIG, '--work-dir', tmp_path, '--cfg-options', *OPTIONS)
    assert stop.value.code == 2 and 'xaicovid prepare' in capsys.readouterr().err


def left_by(tool, *arguments):
    with pytest.raises(SystemExit) as stop:
        run(tool, CONFIG, *arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize('weights', [{'a': torch.zeros(1)}, 3], ids=['of another', 'none'])
def test_a_test_that_is_refused_leaves_no_work_dir(weights, tmp_path, capsys):
    torch.save({'state_dict': weights}, tmp_path / 'other.pth')
    left_by('test', tmp_path / 'other.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['other.pth']


@pytest.mark.parametrize(
    'options',
    [
        ['--cfg-options', 'train_dataloader.num_workers=-1'],
        ['--cfg-options', 'randomness.seed=-5'],
        ['--resume', 'OTHER'],
    ],
    ids=lambda options: options[1],
)
def test_a_training_that_is_refused_leaves_no_work_dir(options, trained, tmp_path, capsys):
    options = [str(trained / 'epoch_2.pth') if option == 'OTHER' else option for option in options]
    if '--resume' in options:
        options += ['--cfg-options', 'model.backbone.widths=(8,8,8,8,8)', *SHORT]
    left_by('train', '--work-dir', tmp_path / 'new' / 'run', *options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('out', ['.', '/dev/null'])
def test_a_table_goes_into_a_file(out, trained, tmp_path, monkeypatch, capsys):
    left_by('test', trained / 'epoch_2.pth', '--work-dir', tmp_path / 'w', '--out', out)
    assert f'--out {out} is a' in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('key', ['test_dataloader', 'test_evaluator', 'test_cfg'])
def test_a_config_without_a_test_is_refused_by_key(key, trained, tmp_path, capsys):
    config = tmp_path / 'c.py'
    config.write_text(f"_base_ = '{Path(CONFIG).absolute()}'\n{key} = None\n")
    with pytest.raises(SystemExit) as stop:
        run('test', config, trained / 'epoch_2.pth', '--work-dir', tmp_path / 'w')
    assert stop.value.code == 2 and f'has no {key}' in capsys.readouterr().err
