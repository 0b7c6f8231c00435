"""Pseudo labels that collapse or do not start are reported."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from xaicovid_mm.engine.hooks import PseudoLabelMonitorHook
from xaicovid_mm.structures import CTSample


class Logger(list):
    def warning(self, text):
        self.append(text)


@pytest.fixture
def runner(request):
    hub = MessageHub.get_instance(request.node.name)
    return SimpleNamespace(
        epoch=3, iter=41, message_hub=hub, logger=Logger(), work_dir='work_dirs/x'
    )


def batch(mask=None):
    meta = dict(is_labelled=False)
    samples = [CTSample(metainfo=dict(sample_id=f'case/{i}', **meta)) for i in range(2)]
    if mask is not None:
        for sample in samples:
            sample.pseudo_mask = torch.full((1, 4, 4), mask)
    return dict(data_samples=samples)


@pytest.mark.parametrize(
    'mask, loss_u, warning',
    [(0.1, 1.0, 'all background'), (0.9, 1.0, 'all infection'), (0.1, 0.0, 'loss_u is zero')],
)
def test_a_collapse_is_said_once_in_plain_words_and_so_is_its_end(runner, mask, loss_u, warning):
    monitor = PseudoLabelMonitorHook(patience=5)
    for _ in range(12):
        monitor.after_train_iter(runner, 0, batch(mask), dict(loss_u=torch.tensor(loss_u)))
    assert sum(warning in text and '5 iterations on end' in text for text in runner.logger) == 1
    healthy = batch(0.1)
    healthy['data_samples'][0].pseudo_mask[..., :2, :] = 0.9
    monitor.after_train_iter(runner, 0, healthy, dict(loss_u=torch.tensor(1.0)))
    assert 'over after 12 iterations' in runner.logger[-1]


def test_a_healthy_run_hears_nothing(runner):
    monitor, healthy = PseudoLabelMonitorHook(patience=3), batch(0.1)
    healthy['data_samples'][0].pseudo_mask[..., :2, :] = 0.9
    for _ in range(20):
        monitor.after_train_iter(runner, 0, healthy, dict(loss_u=torch.tensor(0.7)))
    assert not runner.logger
    assert runner.message_hub.get_scalar('train/pseudo_foreground').current() == 0.25


def test_batches_without_pseudo_masks_are_no_symptom(runner):
    monitor = PseudoLabelMonitorHook(patience=1)
    monitor.after_train_iter(runner, 0, batch(), {})
    assert not runner.logger


def test_pseudo_labels_that_do_not_start_are_reported_once(runner):
    monitor, runner.epoch = PseudoLabelMonitorHook(start_by_epoch=10), 10
    monitor.before_train_epoch(runner)
    monitor.before_train_epoch(runner)
    assert len(runner.logger) == 1 and 'start_epoch' in runner.logger[0]


@pytest.mark.parametrize('wrong', [dict(patience=0), dict(low=0.5, high=0.4)])
def test_the_monitor_refuses_bounds_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=str(list(wrong.values())[0])):
        PseudoLabelMonitorHook(**wrong)
