"""Every config builds and trains."""

import warnings
from pathlib import Path

import pytest
import torch
from mmengine import Config
from mmengine.registry import init_default_scope

from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.engine.hooks import PseudoLabelHook
from xaicovid_mm.registry import MODELS

SCALED = ('comparison', 'ablation')
"""Folders whose configs take their scale from the environment."""
CONFIGS = sorted(
    path.relative_to('configs').as_posix()
    for path in Path('configs').rglob('*.py')
    if not {'_base_', 'lung', *SCALED} & set(path.parts)
)
ROWS = sorted(
    path.relative_to('configs').as_posix()
    for folder in SCALED
    for path in Path('configs', folder).iterdir()
    if path.suffix == '.py'
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
    cfg.default_hooks.checkpoint = None  # half a gigabyte each at full size
    if label := cfg.default_hooks.get('pseudo_label'):
        label.update(start_epoch=0)
    if classes := cfg.default_hooks.get('pseudo_class'):
        classes.update(begin=0, end=0, confidence=0.0)
    if audit := cfg.default_hooks.get('pseudo_label_audit'):
        audit.dataset.update(store=str(store), split='default')
        audit.interval = 1
    if fit := cfg.default_hooks.get('evidence_fit'):
        fit.dataset.update(store=str(store), split='default')
    return cfg


@pytest.mark.parametrize('name', [*CONFIGS, *ROWS])
def test_every_config_takes_two_steps_with_all_its_losses(name, tiny_store, tmp_path, monkeypatch):
    monkeypatch.setenv('XAICOVID_SCALE', 'quick')  # for those that read it
    cfg = small(name, tiny_store, tmp_path)
    if package := (cfg.model.backbone.get('init_cfg') or {}).get('package'):
        pytest.importorskip(package, reason=f'{name} needs the weights of {package}')
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter('always')
        runner = CTRunner.from_cfg(cfg)
    assert [str(warning.message) for warning in warned] == []  # of other packages, about ours
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}

    runner.train()

    labels = any(isinstance(hook, PseudoLabelHook) for hook in runner.hooks)
    assert labels == bool(cfg.default_hooks.get('pseudo_label'))
    losses = {k for k in runner.message_hub.log_scalars if k.startswith('train/loss_')}
    causes = dict(
        ce=cfg.model.cls_head,
        s=cfg.model.decode_head,
        u=cfg.default_hooks.get('pseudo_label'),
        ce_u=cfg.default_hooks.get('pseudo_class'),
    )
    assert {f'train/loss_{name}' for name, cause in causes.items() if cause} <= losses
    moved = [k for k, v in runner.model.state_dict().items() if not torch.equal(v, before[k])]
    for part in ('backbone', 'cls_head', 'decode_head'):
        assert any(k.startswith(part) for k in moved) == bool(cfg.model[part])


SWAPPED = ('semi_resnet18.py', 'semi_convnext_t.py', 'semi_timm_mobilenetv3.py')


@pytest.mark.parametrize('name', SWAPPED)
def test_another_backbone_is_a_base_a_backbone_and_gradients_that_hold_there(name):
    cfg, base = (load_config(Path('configs', file)) for file in (name, 'semi_vgg.py'))
    assert cfg.model.pop('backbone') != base.model.pop('backbone')
    saliency = [c.default_hooks.pseudo_label.labeler.pop('saliency') for c in (cfg, base)]
    assert saliency == [dict(steps=8, rule='right'), dict(steps=3, rule='log')]
    assert cfg.to_dict() == base.to_dict()


@pytest.mark.parametrize('name', [*CONFIGS, *LUNG_CONFIGS])
def test_every_config_has_known_keys_alone(name):
    load_config(Path('configs', name))


@pytest.mark.parametrize('scale', ['.', 'real_ct'])
@pytest.mark.parametrize('name', ROWS)
def test_every_row_of_the_comparison_is_there_at_every_scale(name, scale, monkeypatch):
    monkeypatch.setenv('XAICOVID_SCALE', scale)
    cfg = load_config(Path('configs', name))
    init_default_scope('xaicovid_mm')
    model = MODELS.build(cfg.model)
    assert sum(p.numel() for p in model.parameters()) > 1e5


@pytest.mark.parametrize(
    'row, millions',  # one input channel, three classes
    [('vgg16', 134.271683), ('resnet18', 11.171779)],
)
def test_networks_have_their_published_size(row, millions):
    cfg = load_config(Path(f'configs/comparison/{row}.py'))
    model = MODELS.build(cfg.model)
    assert sum(p.numel() for p in model.parameters()) == millions * 1e6


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
