"""The audit of pseudo labels sees hidden masks and changes nothing."""

import json
import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.engine.hooks import PseudoLabelAuditHook, PseudoLabelHook
from xaicovid_mm.models import MultiTaskModel

WIDTHS = (2, 3, 4, 4, 4)


class FakeLabeler:
    """Knows the truth where it is bright: the CAAM is right, the saliency is the inverse."""

    calibration = SimpleNamespace(weights=(0.25, 0.0, 0.75, 0.9))  # the last is of 'covid'

    def sources(self, model, images, labels=None, every=False):
        assert every  # a source without weight is measured as well
        bright = (images > 0.9).float()
        return dict(caam=bright, saliency=1 - bright, prob=0 * bright, evidence=labels == 2)

    def fuse(self, sources):
        return sources['caam']


def dataset(store):
    return dict(
        type='SliceDataset',
        store=str(store),
        split='default',
        roles=['unlabelled'],
        reveal=True,
        pipeline=[dict(type='PackCTInputs')],
        lung_fill=False,
    )


@pytest.fixture
def runner(request, tmp_path):
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    model = MultiTaskModel(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    ).train()
    drawn = []
    return SimpleNamespace(
        model=model,
        hooks=[PseudoLabelHook(dict(type='PseudoLabeler', evidence_from='none'), start_epoch=0)],
        message_hub=MessageHub.get_instance(request.node.name),
        visualizer=SimpleNamespace(
            add_scalars=lambda d, step: drawn.append((step, d)), drawn=drawn
        ),
        logger=MMLogger.get_current_instance(),
        work_dir=str(tmp_path),
        epoch=0,
        max_epochs=10,
    )


def lines(runner):
    path = f'{runner.work_dir}/pseudo_label_audit.jsonl'
    return [json.loads(line) for line in open(path, encoding='utf-8')]


def random_states():
    return [torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()]


def test_it_changes_no_gradient_mode_weight_or_random_state(runner, tiny_store):
    runner.model.cls_head.eval()  # mixed modes must come back as they were
    modes = [module.training for module in runner.model.modules()]
    weights = {k: v.clone() for k, v in runner.model.state_dict().items()}
    states = random_states()
    PseudoLabelAuditHook(dataset(tiny_store), max_slices=4).after_train_epoch(runner)
    assert [module.training for module in runner.model.modules()] == modes
    assert all(p.grad is None for p in runner.model.parameters())
    assert all(torch.equal(v, weights[k]) for k, v in runner.model.state_dict().items())
    assert random_states() == states


def test_its_lines_hold_the_scores_of_every_source(runner, tiny_store, monkeypatch):
    hook = PseudoLabelAuditHook(dataset(tiny_store))
    for item in range(len(hook.slices.dataset)):
        assert 'infection' in hook.slices.dataset[item]['data_samples']
    bright = [
        {**item, 'inputs': item['data_samples'].infection.float()}
        for item in map(hook.slices.dataset.__getitem__, range(len(hook.slices.dataset)))
    ]
    monkeypatch.setattr(type(hook.slices.dataset), '__getitem__', lambda self, i: bright[i])
    runner.hooks[0].labeler = FakeLabeler()
    hook.after_train_epoch(runner)
    (line,) = lines(runner)
    assert (line['epoch'], line['slices']) == (1, 24)
    for source in ('caam', 'fused'):
        assert line[source]['dice_volume_mean'] == line[source]['average_precision'] == 1
    assert line['saliency']['dice_infected_volume_mean'] == 0
    assert line['evidence'] == pytest.approx(1 / 3)
    weights = [line[source].get('weight') for source in ('caam', 'saliency', 'prob', 'fused')]
    assert weights == [0.25, 0.0, 0.75, None]
    step, scalars = runner.visualizer.drawn[0]
    assert step == 1 and scalars['audit/dice_volume_mean_caam'] == 1
    assert runner.message_hub.get_scalar('audit/dice_global_prob').current() == 0


def test_it_comes_every_interval_from_its_begin_and_after_the_last_epoch(runner, tiny_store):
    hook = PseudoLabelAuditHook(dataset(tiny_store), interval=3, begin=2, max_slices=2)
    for runner.epoch in range(10):
        hook.after_train_epoch(runner)
    assert [line['epoch'] for line in lines(runner)] == [2, 5, 8, 10]


def test_a_resumed_run_replaces_the_lines_it_repeats(runner, tiny_store):
    hook = PseudoLabelAuditHook(dataset(tiny_store), max_slices=2)
    for runner.epoch in (0, 1, 2, 1):
        hook.after_train_epoch(runner)
    assert [line['epoch'] for line in lines(runner)] == [1, 2]


def test_the_slices_it_looks_at_are_spread_evenly(tiny_store):
    hook = PseudoLabelAuditHook(dataset(tiny_store), max_slices=3)
    assert hook.slices.positions.tolist() == [0, 12, 23] and len(hook.slices.dataset) == 24


def test_only_the_first_rank_audits(runner, tiny_store, monkeypatch):
    monkeypatch.setattr('mmengine.dist.utils.get_rank', lambda group=None: 1)
    PseudoLabelAuditHook(dataset(tiny_store), max_slices=2).after_train_epoch(runner)
    with pytest.raises(FileNotFoundError):
        lines(runner)


def test_without_pseudo_labels_there_is_nothing_to_audit(runner, tiny_store):
    runner.hooks = []
    with pytest.raises(ValueError, match='needs a PseudoLabelHook'):
        PseudoLabelAuditHook(dataset(tiny_store)).before_train(runner)


def test_without_any_mask_it_says_so_and_the_run_goes_on(runner, tmp_path, caplog):
    root = tmp_path / 'store'
    writer = StoreWriter(root, (32, 32), 'hu', {})
    writer.add_case(
        StoreCase(
            name='a',
            patient='a',
            site='s',
            image=np.random.default_rng(0).normal(-800, 9, (2, 32, 32)),
        )
    )
    writer.close()
    write_split(SliceStore(root), 'default', {'unlabelled': ['a']})
    hook = PseudoLabelAuditHook(dataset(root))
    runner.logger = logging.getLogger('audit')
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    assert 'none of the 2 unlabelled slices' in caplog.text
    with pytest.raises(FileNotFoundError):
        lines(runner)


@pytest.mark.parametrize('option', ['interval', 'max_slices', 'batch_size'])
def test_a_number_below_one_is_refused(tiny_store, option):
    with pytest.raises(ValueError, match=f'{option}=0'):
        PseudoLabelAuditHook(dataset(tiny_store), **{option: 0})
