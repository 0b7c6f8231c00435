"""Every config builds and trains."""

from pathlib import Path

import pytest
import torch
from mmengine import Config

from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.hooks import PseudoLabelHook

CONFIGS = sorted(
    path.relative_to('configs').as_posix()
    for path in Path('configs').rglob('*.py')
    if '_base_' not in path.parts and 'lung' not in path.parts
)
LUNG_CONFIGS = sorted(
    path.relative_to('configs').as_posix() for path in Path('configs/lung').iterdir()
)


def small(name, store, work_dir):
    """A config with everything of its own but the length of the run and the size of a batch."""
    cfg = Config.fromfile(Path('configs', name))
    cfg.work_dir, cfg.launcher, cfg.log_level = str(work_dir), 'none', 'ERROR'
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(store=str(store), split='default')
        loader.update(num_workers=0, persistent_workers=False)
    sampler = cfg.train_dataloader.sampler
    streams = [key for key in sampler if key.endswith('_per_batch') and sampler[key]]
    cfg.train_dataloader.sampler.update({key: 2 for key in streams}, batches_per_epoch=2)
    cfg.train_dataloader.batch_size = 2 * len(streams)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    if label := cfg.default_hooks.get('pseudo_label'):
        label.update(start_epoch=0)
    if audit := cfg.default_hooks.get('pseudo_label_audit'):
        audit.dataset.update(store=str(store), split='default')
        audit.interval = 1
    return cfg


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_takes_two_steps_with_all_its_losses(name, tiny_store, tmp_path):
    cfg = small(name, tiny_store, tmp_path)
    runner = CTRunner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}

    runner.train()

    labels = any(isinstance(hook, PseudoLabelHook) for hook in runner.hooks)
    assert labels == bool(cfg.default_hooks.get('pseudo_label'))
    losses = {k for k in runner.message_hub.log_scalars if k.startswith('train/loss_')}
    expected = {'train/loss_ce', 'train/loss_s'}
    if cfg.default_hooks.get('pseudo_label'):
        expected.add('train/loss_u')
    assert expected <= losses
    moved = [k for k, v in runner.model.state_dict().items() if not torch.equal(v, before[k])]
    assert any(k.startswith('backbone') for k in moved)
    assert any(k.startswith('decode_head') for k in moved)


@pytest.mark.parametrize('name', LUNG_CONFIGS)
def test_every_lung_config_takes_two_steps_and_scores_itself(name, tiny_store, tmp_path):
    runner = CTRunner.from_cfg(small(name, tiny_store, tmp_path))
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}

    runner.train()

    assert {'train/loss_lung', 'val/lung/dice_patient_mean'} <= set(runner.message_hub.log_scalars)
    moved = [k for k, v in runner.model.state_dict().items() if not torch.equal(v, before[k])]
    assert any(k.startswith('backbone') for k in moved)
    assert any(k.startswith('decode_head') for k in moved)


def test_there_is_a_config_for_each_setting_and_scale():
    assert {'semi_vgg.py', 'supervised_vgg.py', 'weakly_vgg.py'} <= set(CONFIGS)
    assert {'quick/semi_vgg.py', 'real_ct/semi_vgg.py'} <= set(CONFIGS)


def test_supervised_and_semi_on_real_ct_see_the_same_number_of_labelled_slices():
    semi, supervised = (
        Config.fromfile(f'configs/real_ct/{name}_vgg.py') for name in ('semi', 'supervised')
    )
    for key in ('labelled_per_batch', 'batches_per_epoch'):
        assert semi.train_dataloader.sampler[key] == supervised.train_dataloader.sampler[key]
    assert semi.train_cfg == supervised.train_cfg
    assert semi.optim_wrapper == supervised.optim_wrapper
    assert semi.param_scheduler == supervised.param_scheduler
