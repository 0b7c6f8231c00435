"""A run that goes wrong says so."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from xaicovid_mm.engine.hooks import FiniteLossHook, PseudoLabelMonitorHook, SafeCheckpointHook
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


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_loss_that_is_no_number_stops_the_run_with_the_names_of_the_slices(runner, value):
    losses = dict(loss=torch.tensor(value), loss_s=torch.tensor(value), loss_ce=torch.tensor(0.5))
    with pytest.raises(
        FloatingPointError, match='loss_s.*epoch 4, iteration 42.*case/0.*case/1'
    ) as e:
        FiniteLossHook().after_train_iter(runner, 0, batch(), losses)
    assert '--resume' in str(e.value)


def test_finite_losses_pass(runner):
    FiniteLossHook().after_train_iter(runner, 0, batch(), dict(loss=torch.tensor(1.0)))


def test_spoilt_weights_are_never_saved(runner):
    spoilt = dict(state_dict={'a': torch.ones(2), 'b.weight': torch.tensor([1.0, float('nan')])})
    with pytest.raises(FloatingPointError, match='b.weight'):
        FiniteLossHook().before_save_checkpoint(runner, spoilt)


@pytest.mark.parametrize(
    'mask, loss_u, said',
    [(0.1, 1.0, 'all background'), (0.9, 1.0, 'all infection'), (0.1, 0.0, 'loss_u is zero')],
)
def test_a_collapse_is_said_once_in_plain_words_and_so_is_its_end(runner, mask, loss_u, said):
    monitor = PseudoLabelMonitorHook(patience=5)
    for _ in range(12):
        monitor.after_train_iter(runner, 0, batch(mask), dict(loss_u=torch.tensor(loss_u)))
    assert sum(said in text and '5 iterations on end' in text for text in runner.logger) == 1
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


def test_a_gate_that_stays_shut_is_reported_once(runner):
    monitor, runner.epoch = PseudoLabelMonitorHook(gate_epochs=10), 10
    monitor.before_train_epoch(runner)
    monitor.before_train_epoch(runner)
    assert len(runner.logger) == 1 and 'start_epoch' in runner.logger[0]


@pytest.mark.parametrize('wrong', [dict(patience=0), dict(low=0.5, high=0.4)])
def test_the_monitor_refuses_bounds_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=str(list(wrong.values())[0])):
        PseudoLabelMonitorHook(**wrong)


def test_the_best_epoch_is_noted_and_a_worse_one_is_not(runner):
    keeper = SafeCheckpointHook(save_best='seg/dice')
    for score in (0.4, 0.6, 0.5, float('nan')):
        keeper.after_val_epoch(runner, {'seg/dice': score})
    assert runner.message_hub.get_info('best_checkpoint')['score'] == 0.6


def test_a_best_metric_that_validation_does_not_give_is_named(runner):
    with pytest.raises(KeyError, match='seg/dice.*cls/auc'):
        SafeCheckpointHook(save_best='seg/dice').after_val_epoch(runner, {'cls/auc': 0.5})


@pytest.mark.parametrize(
    'wrong', [dict(interval=0), dict(max_keep=0), dict(keep_every=-1), dict(rule='best')]
)
def test_the_keeper_refuses_what_would_lose_checkpoints(wrong):
    with pytest.raises(ValueError, match=str(*wrong.values())):
        SafeCheckpointHook(**wrong)
