"""A number that would turn a loss or a rate round, or leave nothing to learn, is refused by key."""

import pytest

from xaicovid_mm.engine.config import load_config
from xaicovid_mm.utils.errors import ConfigError

CONFIG = 'configs/quick/recommended_semi.py'
OPTIMIZER = 'optim_wrapper.optimizer'
CUSTOM = 'optim_wrapper.paramwise_cfg.custom_keys'


@pytest.mark.parametrize(
    'key, value, expected',
    [
        (f'{OPTIMIZER}.lr', 0.0, 'more than 0'),
        ('optim_wrapper.clip_grad', dict(max_norm=-1.0), 'more than 0'),
        ('optim_wrapper.clip_grad', dict(type='value', clip_value=-1.0), 'more than 0'),
        ('optim_wrapper.paramwise_cfg', dict(bias_lr_mult=-1.0), '0 or more'),
        ('optim_wrapper.paramwise_cfg', dict(custom_keys=dict(a=dict(lr_mult=-1))), '0 or more'),
        ('param_scheduler', [dict(type='StepLR', step_size=1, gamma=-3.0)], '0 or more'),
        ('param_scheduler', [dict(type='StepLR', step_size=0)], '1 or more'),
        ('param_scheduler', [dict(type='CosineAnnealingLR', T_max=0)], '1 or more'),
        ('param_scheduler.0.eta_min', -1.0, '0 or more'),
        ('auto_scale_lr', dict(enable=True, base_batch_size=-8), '1 or more'),
        ('train_dataloader.sampler.batches_per_epoch', -1, '1 or more'),
        ('train_dataloader.sampler.seed', -1, '0 or more'),
        ('train_cfg.val_begin', -3, '0 or more'),
        ('model.loss_weights.gamma', -5.0, '0 or more'),
        ('model.cls_head.alphas', [-5.0, 1.0, 1.0], '0 or more'),
        ('model.mask_loss.smooth', -1.0, '0 or more'),
        ('model.decode_head.init_cfg', dict(type='Normal', override=dict(std=-1.0)), '0 or more'),
        ('model.backbone.negative_slope', -3.0, '0 or more'),
        ('model.backbone.norm_cfg', dict(type='BN', momentum=40.0), '0 to 1'),
        ('custom_hooks.0.momentum', 1.5, '0 to 1'),
        ('default_hooks.pseudo_label.ramp_epochs', -5, '0 or more'),
        ('default_hooks.pseudo_label.start_epoch', -2, '0 or more'),
        ('train_dataloader.dataset.pipeline.0.flip_prob', 7.0, '0 to 1'),
        ('train_dataloader.dataset.pipeline.0.rotate_deg', [-1e9, 1e9], '-180 to 180 degrees'),
        ('train_dataloader.dataset.pipeline.0.scale', [1e-9, 1e9], '0.05 to 20'),
        ('train_dataloader.dataset.pipeline.1.gamma', [0.5, 1e9], '0.05 to 20'),
        ('train_dataloader.dataset.pipeline.1.brightness', [0.5, 1e9], '0 to 20'),
        ('train_dataloader.dataset.pipeline.1.noise_std', [0, 1e9], '0 to 1'),
        (
            'train_dataloader.dataset.pipeline.2',
            dict(type='StrongView', blur_px=[0, 1e9]),
            '0 to 50 pixels',
        ),
        ('default_hooks.logger.interval', 0, '1 or more'),
        ('optim_wrapper.accumulative_counts', 0, '1 or more'),
        ('train_dataloader.dataset.window', [1e9, 2e9], '-10000 to 10000 HU'),
        ('model.cls_head.num_classes', 2, '3, for .*COVID-19'),
        ('default_hooks.pseudo_label.labeler.target_class', 3, '0 to 2, of .*COVID-19'),
        ('default_hooks.pseudo_label.labeler.target_class', -1, '0 to 2, of .*COVID-19'),
    ],
)
def test_a_number_out_of_its_bounds_is_named_with_what_is_expected(key, value, expected):
    with pytest.raises(ConfigError, match=rf'config {key}\S* is \S+: .*{expected}.* expected'):
        load_config(CONFIG, {key: value})


@pytest.mark.parametrize(
    'key, value',
    [
        ('optim_wrapper.clip_grad', dict(max_norm=float('inf'))),
        ('optim_wrapper.paramwise_cfg', dict(custom_keys=dict(backbone=dict(lr_mult=0)))),
        ('model.loss_weights.eta', 0.0),
        ('model.backbone.norm_cfg', dict(type='BN', momentum=None)),
        ('train_dataloader.sampler.batches_per_epoch', None),
        ('train_dataloader.dataset.pipeline.0.flip_prob', 0),
        ('param_scheduler', [dict(type='MultiStepLR', milestones=[3, 5], gamma=0.1)]),
    ],
)
def test_what_switches_a_part_off_is_within_the_bounds(key, value):
    load_config(CONFIG, {key: value})
