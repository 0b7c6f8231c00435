"""Pseudo labels that collapse or do not start are reported, and what each slice was taught."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from scipy.ndimage import gaussian_filter
from torch import nn

from xaicovid_mm.engine.hooks import PseudoLabelMonitorHook
from xaicovid_mm.engine.hooks.pseudo_label_start import STARTED_AT
from xaicovid_mm.structures import CTSample

SIDE = 32
Y, X = np.mgrid[:SIDE, :SIDE]


class Logger(list):
    def warning(self, text):
        self.append(text)


class Model(nn.Module):
    """Its decoder gives what it is told to."""

    def __init__(self):
        super().__init__()
        self.decode_head = nn.Identity()
        self.loss_weights = dict(eta=5.0)
        self.weight = nn.Parameter(torch.ones(3))


@pytest.fixture
def runner(request, tmp_path):
    hub = MessageHub.get_instance(request.node.name)
    hub.update_info(STARTED_AT, 0)
    return SimpleNamespace(
        epoch=3, iter=0, message_hub=hub, logger=Logger(), work_dir=tmp_path, model=Model()
    )


def lesion(rng, lung):
    """A patch of infection somewhere in the lungs, or none."""
    inside = np.argwhere(lung)
    y, x = inside[rng.integers(len(inside))]
    size = rng.uniform(2, 5) if rng.random() < 0.7 else 0
    return ((X - x) ** 2 + (Y - y) ** 2 < size**2) & lung


class Run:
    """Batches of a run whose labels are good but not perfect; ``collapse`` changes its masks."""

    def __init__(self, seed, collapse=None, breaks=0):
        self.rng, self.collapse, self.breaks = np.random.default_rng(seed), collapse, breaks
        self.first = None

    def __call__(self, step):
        rng = self.rng
        slices, masks, logits, samples = [], [], [], []
        for i in range(8):
            wide, high = rng.uniform(5, 7), rng.uniform(9, 13)
            lung = (((X - 9) / wide) ** 2 + ((Y - 16) / high) ** 2 < 1) | (
                ((X - 23) / wide) ** 2 + ((Y - 16) / high) ** 2 < 1
            )
            truth = lesion(rng, lung)
            slices.append(torch.tensor(lung * rng.uniform(0.1, 0.5) + 0.3 * truth)[None].float())
            meta = dict(sample_id=f'case{i % 3}/{i}', is_labelled=i < 4)
            sample = CTSample(metainfo=meta)
            if i < 4:
                sample.infection = torch.tensor(truth)[None].to(torch.uint8)
            else:
                near = gaussian_filter(truth.astype(float), 1) + 0.1 * rng.normal(size=truth.shape)
                soft = gaussian_filter(truth.astype(float), 0.8) + 0.05 * rng.normal(size=(32, 32))
                masks.append(torch.where(torch.tensor(lung), torch.tensor(soft).clip(0, 1), -1.0))
                logits.append(torch.tensor(6 * near - 3)[None].float())
            samples.append(sample)
        masks = torch.stack(masks)[:, None].float()
        if self.collapse and not (self.breaks and step % self.breaks == self.breaks - 1):
            masks = self.collapse(masks, step)
        for sample, mask in zip(samples[4:], masks, strict=True):
            sample.pseudo_mask = mask
        return dict(data_samples=samples, inputs=slices), torch.stack(logits)


def shuffled_pixels(masks, step):
    masks = masks.clone()
    for mask in masks:
        values = mask[mask >= 0]
        mask[mask >= 0] = values[torch.randperm(len(values))]
    return masks


def within(change):
    """A collapse that leaves the pixels outside the lungs ignored."""
    return lambda masks, step: torch.where(masks < 0, masks, change(masks.clamp(min=0), step))


ONE = torch.tensor(((X - 9) ** 2 + (Y - 18) ** 2 < 16) * 0.9).float()
COLLAPSES = dict(
    background=within(lambda masks, step: masks * 0.1),
    foreground=within(lambda masks, step: masks * 0 + 0.9995),
    broken=within(lambda masks, step: masks * float('nan')),
    pixels=shuffled_pixels,
    slices=lambda masks, step: masks[torch.randperm(len(masks))],
    slices_within=within(lambda masks, step: masks[torch.randperm(len(masks))]),
    one=within(lambda masks, step: ONE.expand_as(masks)),
    first=lambda masks, step: masks[:1].expand_as(masks),
    inverted=within(lambda masks, step: 1 - masks),
    growing=within(lambda masks, step: (masks + step / 130).clamp(max=1)),
)


def follow(runner, run, iterations=100, monitor=None, **options):
    monitor = monitor or PseudoLabelMonitorHook(**options)
    monitor.before_train(runner)
    for step in range(iterations):
        batch, logits = run(step)
        runner.model.decode_head(logits)
        monitor.after_train_iter(runner, step, batch, dict(loss_u=torch.tensor(0.7)))
        runner.iter += 1
    return monitor


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
