"""The commands of the README, by main(argv) and as processes."""

import json
import os
import runpy
import subprocess
import sys

import pytest
import torch

from xaicovid_mm.apis import init_model

CONFIG = 'configs/quick/semi_vgg.py'
SHORT = [
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'train_dataloader.sampler.batches_per_epoch=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'default_hooks.pseudo_label.start_epoch=1',
    'default_hooks.pseudo_label_audit.interval=1',
    'log_level=ERROR',
]


def run(tool, *args):
    runpy.run_path(f'tools/{tool}.py')['main']([str(a) for a in args])


@pytest.fixture(autouse=True)
def store(tiny_store, monkeypatch):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setenv('XAICOVID_SPLIT', 'default')


@pytest.fixture(scope='module')
def trained(tiny_store, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XAICOVID_STORE', str(tiny_store))
        patch.setenv('XAICOVID_SPLIT', 'default')
        run('train', CONFIG, '--work-dir', work_dir, '--cfg-options', *SHORT)
    return work_dir


def test_training_leaves_checkpoints_and_an_audit_by_epoch(trained):
    assert (trained / 'epoch_2.pth').is_file()
    lines = (trained / 'pseudo_label_audit.jsonl').read_text().splitlines()
    assert [json.loads(line)['epoch'] for line in lines] == [1, 2]
    assert set(json.loads(lines[0])) >= {'caam', 'saliency', 'prob', 'fused', 'gate'}


def test_a_trained_model_can_be_loaded_and_used(trained):
    model = init_model(CONFIG, trained / 'epoch_2.pth')
    logits, masks = model(torch.rand(1, 1, 32, 32))
    assert not model.training and logits.shape == (1, 3) and masks.shape == (1, 1, 32, 32)


def test_testing_writes_the_table_and_the_strip(trained, capsys):
    pictures = trained / 'pictures'
    run('test', CONFIG, trained / 'epoch_2.pth', '--show-dir', pictures, '--num', 2)
    assert 'seg/dice_slice_mean' in capsys.readouterr().out
    report = json.loads((trained / 'test_test' / 'report.json').read_text())
    assert report['scores']['seg/dice_slice_mean']['patients'] == 3
    assert (pictures / 'strip.png').is_file()


def test_resume_goes_on_from_the_newest_checkpoint(trained, tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes((trained / 'epoch_1.pth').read_bytes())
    run('train', CONFIG, '--work-dir', tmp_path, '--resume', '--cfg-options', *SHORT)
    ours, theirs = (
        torch.load(d / 'epoch_2.pth', weights_only=True)['state_dict'] for d in (tmp_path, trained)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    'options, named',
    [
        (['train_cfg.max_epoch=2'], "train_cfg has no 'max_epoch', did you mean 'max_epochs'"),
        (['optim_wraper.optimizer.lr=1'], "no 'optim_wraper', did you mean 'optim_wrapper'"),
        (['model.backbone.width=(1,2)'], 'width'),
    ],
)
def test_an_option_that_does_not_exist_is_named(options, named, tmp_path, capsys):
    with pytest.raises((SystemExit, TypeError)) as stop:
        run('train', CONFIG, '--work-dir', tmp_path, '--cfg-options', *SHORT, *options)
    assert named in capsys.readouterr().err + str(stop.value)


def test_an_unknown_key_of_the_file_is_named(tmp_path, capsys):
    config = tmp_path / 'typo.py'
    config.write_text(
        f"_base_ = '{os.path.abspath(CONFIG)}'\ndefault_hook = dict(a=dict(type='B'))\n"
    )
    with pytest.raises(SystemExit):
        run('train', config, '--work-dir', tmp_path)
    assert (
        "'default_hook' is read by nothing, did you mean 'default_hooks'" in capsys.readouterr().err
    )


def test_a_missing_store_says_how_to_make_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('XAICOVID_STORE', str(tmp_path / 'nowhere'))
    with pytest.raises(SystemExit) as stop:
        run('train', CONFIG, '--work-dir', tmp_path, '--cfg-options', *SHORT)
    assert stop.value.code == 2 and 'tools/prepare_data.py' in capsys.readouterr().err


def test_mixed_precision_without_a_gpu_is_refused(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    with pytest.raises(SystemExit):
        run('train', CONFIG, '--work-dir', tmp_path, '--amp')
    assert '--amp needs a GPU' in capsys.readouterr().err


@pytest.mark.parametrize('script', ['dist_train', 'dist_test', 'slurm_train', 'train_and_test'])
def test_shell_scripts_are_sound_and_name_what_they_miss(script):
    assert subprocess.run(['bash', '-n', f'tools/{script}.sh']).returncode == 0
    bare = subprocess.run(['bash', f'tools/{script}.sh'], capture_output=True, text=True)
    assert bare.returncode != 0 and ('config' in bare.stderr or 'partition' in bare.stderr)


@pytest.mark.slow
def test_two_processes_train_from_the_shell(tmp_path):
    env = {**os.environ, 'PYTHON': sys.executable, 'PORT': '29611', 'OMP_NUM_THREADS': '1'}
    env['PYTHONPATH'] = os.pathsep.join([os.getcwd(), env.get('PYTHONPATH', '')])
    command = ['bash', 'tools/dist_train.sh', CONFIG, '2', '--work-dir', str(tmp_path)]
    done = subprocess.run(
        [*command, '--cfg-options', *SHORT], env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / 'epoch_2.pth').is_file()
