"""Pseudo labels that collapse or do not start are reported, and what each slice was taught."""

import csv

import pytest
import torch
from planted_collapses import COLLAPSES, Run, follow, runner_in

from xaicovid_mm.engine.hooks import PseudoLabelMonitorHook
from xaicovid_mm.engine.hooks.pseudo_label_start import STARTED_AT
from xaicovid_mm.structures import CTSample


@pytest.fixture
def runner(request, tmp_path):
    return runner_in(tmp_path, request.node.name)


@pytest.mark.parametrize('breaks', [0, 50])
@pytest.mark.parametrize('kind', COLLAPSES)
def test_every_collapse_is_said_within_100_iterations_also_with_breaks(runner, kind, breaks):
    torch.manual_seed(0)
    follow(runner, Run(0, COLLAPSES[kind], breaks))
    assert runner.logger
    assert 'PseudoLabelAuditHook' in runner.logger[0]


def test_a_healthy_run_hears_nothing(runner):
    follow(runner, Run(0), 200)
    assert not runner.logger
    assert 0 < runner.message_hub.get_scalar('train/pseudo_foreground').current() < 0.3


def test_a_collapse_now_and_then_is_none(runner):
    healthy, collapsed = Run(0), Run(0, COLLAPSES['background'])
    follow(runner, lambda step: (collapsed if step % 3 == 0 else healthy)(step), 100)
    assert not runner.logger


def batch(mask=None):
    meta = dict(is_labelled=False)
    samples = [CTSample(metainfo=dict(sample_id=f'case/{i}', **meta)) for i in range(2)]
    if mask is not None:
        for sample in samples:
            sample.pseudo_mask = torch.full((1, 4, 4), mask)
    return dict(data_samples=samples)


@pytest.mark.parametrize(
    'mask, loss_u, warning',
    [
        (0.1, 1.0, 'all background'),
        (0.9, 1.0, 'all infection'),
        (float('nan'), 1.0, 'no numbers'),
        (0.1, 0.0, 'loss_u is zero'),
    ],
)
def test_a_collapse_is_said_once_in_plain_words_and_so_is_its_end(runner, mask, loss_u, warning):
    monitor = PseudoLabelMonitorHook(patience=5)
    for _ in range(12):
        monitor.after_train_iter(runner, 0, batch(mask), dict(loss_u=torch.tensor(loss_u)))
    told = [text for text in runner.logger if warning in text]
    assert len(told) == 1 and 'for most of the last 5 iterations' in told[0]
    healthy = batch(0.1)
    healthy['data_samples'][0].pseudo_mask[..., :2, :] = 0.9
    for _ in range(5):
        monitor.after_train_iter(runner, 0, healthy, dict(loss_u=torch.tensor(1.0)))
    assert sum('over after' in text and warning in text for text in runner.logger) == 1


def test_batches_without_pseudo_masks_are_no_symptom(runner):
    monitor = PseudoLabelMonitorHook(patience=1)
    monitor.after_train_iter(runner, 0, batch(), {})
    assert not runner.logger


def test_a_collapse_stops_the_run_where_that_is_wanted(runner):
    with pytest.raises(ValueError, match="on_alarm='stop'.*all background.*start_epoch"):
        follow(runner, Run(0, COLLAPSES['background']), on_alarm='stop')
    assert runner.iter < 100


def test_a_healthy_run_is_not_stopped(runner):
    follow(runner, Run(0), on_alarm='stop')
    assert runner.iter == 100


def rows_of(runner):
    with open(runner.work_dir / 'pseudo_label_slices.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_each_slice_has_a_row_per_epoch_that_finds_the_one_that_is_taught_wrongly(runner):
    def spoil(masks, step):
        masks[2] = torch.where(masks[2] < 0, masks[2], 1 - masks[2])
        return masks

    monitor = follow(runner, Run(0, spoil), 10)
    monitor.after_train_epoch(runner)
    rows = rows_of(runner)
    assert [r['sample'] for r in rows] == ['case0/6', 'case1/4', 'case1/7', 'case2/5']
    assert {r['epoch'] for r in rows} == {'4'} and {r['seen'] for r in rows} == {'10'}
    assert min(rows, key=lambda r: float(r['agreement']))['sample'] == 'case0/6'
    assert max(rows, key=lambda r: float(r['area']))['sample'] == 'case0/6'
    assert all(0.5 <= float(r['confidence']) <= 1 for r in rows)
    assert all(r['gate'] == '5.0' and len(r['model']) == 12 for r in rows)


def test_the_model_of_a_row_is_known_by_its_weights(runner):
    monitor = follow(runner, Run(0), 2)
    monitor.after_train_epoch(runner)
    follow(runner, Run(1), 2, monitor)
    runner.model.weight.data += 1
    runner.epoch += 1
    monitor.after_train_epoch(runner)
    models = {row['epoch']: row['model'] for row in rows_of(runner)}
    assert len(set(models.values())) == 2


def test_a_resumed_run_replaces_the_epochs_that_it_repeats(runner):
    first = follow(runner, Run(0), 2)
    for runner.epoch in (3, 4):
        first.after_train_epoch(runner)
        follow(runner, Run(1), 2, first)
    resumed, runner.epoch = follow(runner, Run(0), 3), 4
    resumed.after_train_epoch(runner)
    seen = [(row['epoch'], row['seen']) for row in rows_of(runner)]
    assert set(seen) == {('4', '2'), ('5', '3')}


def test_a_slice_without_a_decoder_has_a_row_without_agreement(runner):
    monitor = PseudoLabelMonitorHook()
    monitor.after_train_iter(runner, 0, batch(0.2), {})
    monitor.after_train_epoch(runner)
    assert [row['agreement'] for row in rows_of(runner)] == ['', '']


def test_pseudo_labels_that_do_not_start_are_reported_once(runner):
    monitor, runner.epoch = PseudoLabelMonitorHook(start_by_epoch=10), 10
    runner.message_hub.update_info(STARTED_AT, None)
    monitor.before_train_epoch(runner)
    monitor.before_train_epoch(runner)
    assert len(runner.logger) == 1 and 'start_epoch' in runner.logger[0]


@pytest.mark.parametrize(
    'wrong', [dict(patience=0), dict(low=0.5, high=0.4), dict(on_alarm='shout')]
)
def test_the_monitor_refuses_options_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=str(list(wrong.values())[0])):
        PseudoLabelMonitorHook(**wrong)
