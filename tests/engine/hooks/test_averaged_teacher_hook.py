"""An average of the weights measures its statistics itself."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.engine.hooks import AveragedTeacherHook
from xaicovid_mm.models import MultiTaskModel

WIDTHS = (2, 3, 4, 4, 4)


def model_with(norm):
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    return MultiTaskModel(
        backbone=dict(
            type='MultiScaleVGG',
            widths=WIDTHS,
            out_stages=(1, 2, 3, 4, 5),
            norm_cfg=dict(type=norm),
        ),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead', norm_cfg=dict(type=norm)),
    ).train()


@pytest.fixture
def runner():
    return SimpleNamespace(model=model_with('BN'), iter=0, epoch=0)


def trained(runner, hook, steps, batch=None):
    """Move the weights as a step does, and the statistics as its forward pass does."""
    hook.before_run(runner)
    for runner.iter in range(steps):
        data = dict(inputs=list(torch.rand(4, 1, 32, 32)) if batch is None else batch)
        runner.model(torch.stack(data['inputs']))
        with torch.no_grad():
            for p in runner.model.parameters():
                p.add_(0.05 * torch.randn_like(p))
        hook.after_train_iter(runner, 0, data)
    return hook.ema_model.module


def test_the_first_steps_are_averaged_evenly(runner):
    hook = AveragedTeacherHook(momentum=0.01)
    hook.before_run(runner)
    seen = []
    for runner.iter in range(4):
        with torch.no_grad():
            runner.model.decode_head.predict_logit.bias.fill_(float(runner.iter))
        hook.after_train_iter(runner, 0, dict(inputs=list(torch.rand(2, 1, 32, 32))))
        seen.append(hook.ema_model.module.decode_head.predict_logit.bias.item())
    assert seen == pytest.approx([0, 0.5, 1.0, 1.5])


def test_the_statistics_are_those_of_the_averaged_weights(runner):
    torch.manual_seed(1)
    batch = list(torch.rand(8, 1, 32, 32))
    average = trained(runner, AveragedTeacherHook(momentum=1e-3, every=1), 60, batch)
    images = torch.stack(batch)
    average.eval()
    own = average(images)[1]
    copied = model_with('BN').eval()
    copied.load_state_dict(average.state_dict())
    for norm, source in zip(copied.modules(), runner.model.modules(), strict=True):
        if getattr(norm, 'running_mean', None) is not None:  # as mmengine's average has them
            norm.running_mean.copy_(source.running_mean)
            norm.running_var.copy_(source.running_var)
    exact = average.train()(images)[1]  # the batch's own statistics
    gap, worse = (own - exact).abs().mean(), (copied(images)[1] - exact).abs().mean()
    assert gap < 0.7 * worse


def test_measuring_changes_no_random_state_and_leaves_the_average_in_eval_mode(runner):
    hook = AveragedTeacherHook(every=1)
    hook.before_run(runner)
    inputs = torch.rand(4, 1, 32, 32)
    state = torch.get_rng_state()
    hook.ema_model.measure_statistics(inputs)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m.training for m in hook.ema_model.module.modules())
    assert all(p.grad is None for p in hook.ema_model.module.parameters())


@pytest.mark.parametrize('every, measured', [(1, 6), (4, 2)])
def test_statistics_are_measured_every_few_iterations(runner, every, measured, monkeypatch):
    hook, seen = AveragedTeacherHook(every=every), []
    hook.before_run(runner)
    monkeypatch.setattr(hook.ema_model, 'measure_statistics', seen.append)
    for runner.iter in range(6):
        hook.after_train_iter(runner, 0, dict(inputs=list(torch.rand(2, 1, 32, 32))))
    assert len(seen) == measured and seen[0].shape == (2, 1, 32, 32)


def test_a_network_without_running_statistics_pays_nothing(monkeypatch):
    runner = SimpleNamespace(model=model_with('IN'), iter=0, epoch=0)
    hook = AveragedTeacherHook(every=1)
    hook.before_run(runner)
    monkeypatch.setattr(
        type(hook.ema_model.module), 'forward', lambda *_, **__: pytest.fail('it ran')
    )
    hook.after_train_iter(runner, 0, dict(inputs=list(torch.rand(2, 1, 32, 32))))


def test_validation_sees_the_average_with_its_statistics(runner):
    hook = AveragedTeacherHook(every=1)
    average = trained(runner, hook, 3)
    wanted = {k: v.clone() for k, v in average.state_dict().items()}
    student = {k: v.clone() for k, v in runner.model.state_dict().items()}
    hook.before_val_epoch(runner)
    assert all(torch.equal(v, wanted[k]) for k, v in runner.model.state_dict().items())
    hook.after_val_epoch(runner)
    assert all(torch.equal(v, student[k]) for k, v in runner.model.state_dict().items())


@pytest.mark.parametrize('wrong', [dict(every=0), dict(momentum=0.0), dict(momentum=1.5)])
def test_nonsense_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AveragedTeacherHook(**wrong)
