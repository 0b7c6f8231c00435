"""When the CAM loss starts."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.engine.hooks import CAMLossStartHook
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.structures import CTSample


@pytest.fixture
def runner():
    init_default_scope('xaicovid_mm')
    model = MultiTaskModel(
        backbone=dict(type='MultiScaleVGG', widths=(2, 3, 4, 4, 4)),
        cls_head=dict(type='MultiScaleCAMHead'),
    )
    return SimpleNamespace(model=model, epoch=0)


@pytest.mark.parametrize('epoch, active', [(19, False), (20, True), (21, True)])
def test_the_cam_loss_begins_at_its_epoch(runner, epoch, active):
    runner.epoch = epoch
    CAMLossStartHook(begin=20).before_train_epoch(runner)
    losses = runner.model.loss(torch.rand(1, 1, 32, 32), [CTSample(label=torch.tensor(0))])
    assert set(losses) == ({'loss_ce', 'loss_cam'} if active else {'loss_ce'})
    assert runner.model.loss_weights['cam'] == float(active)


def test_the_weight_of_the_config_comes_back(runner):
    hook, runner.model.loss_weights['cam'] = CAMLossStartHook(begin=1), 0.5
    hook.before_train(runner)
    weights = []
    for runner.epoch in (0, 1):
        hook.before_train_epoch(runner)
        weights.append(runner.model.loss_weights['cam'])
    assert weights == [0.0, 0.5]
