"""The calibration of pseudo labels is fitted while a model trains."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope

from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.engine.hooks import EvidenceFitHook, PseudoLabelHook
from xaicovid_mm.models import EvidenceFusion, MultiTaskModel

WIDTHS = (2, 3, 4, 4, 4)


def dataset(store, roles=('val', 'labelled')):
    return dict(
        type='SliceDataset',
        store=str(store),
        split='default',
        roles=list(roles),
        pipeline=[dict(type='PackCTInputs')],
    )


@pytest.fixture
def runner(request):
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    model = MultiTaskModel(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    ).train()
    model.decode_head.predict_logit.bias.data.fill_(-5.0)  # as it is, it finds nothing
    labeler = dict(type='PseudoLabeler', calibration=dict(type='EvidenceFusion'))
    said = []
    return SimpleNamespace(
        model=model,
        hooks=[PseudoLabelHook(labeler, start_epoch=2)],
        message_hub=MessageHub.get_instance(request.node.name),
        logger=SimpleNamespace(info=said.append, warning=said.append),
        said=said,
        epoch=0,
        iter=0,
    )


def fusion_of(runner):
    return runner.hooks[0].labeler.calibration


def at_epoch(runner, hook, epoch):
    runner.epoch = epoch
    for each in (*runner.hooks, hook):
        each.before_train_epoch(runner)
    return list(fusion_of(runner).weights), fusion_of(runner).offset


def test_it_is_fitted_when_labels_start_and_every_few_epochs(runner, tiny_store):
    hook = EvidenceFitHook(dataset(tiny_store), interval=2, max_slices=12)
    hook.before_train(runner)
    assert at_epoch(runner, hook, 1) == ([0, 0, 1, 0], 0)
    first = at_epoch(runner, hook, 2)
    assert first != ([0, 0, 1, 0], 0)
    with torch.no_grad():
        runner.model.decode_head.predict_logit.weight.mul_(3)
    assert at_epoch(runner, hook, 3) == first
    assert at_epoch(runner, hook, 4) != first
    assert sum('calibrated on 12 slices' in text for text in runner.said) == 2


def test_a_resumed_run_goes_on_with_what_was_fitted(runner, tiny_store):
    hook = EvidenceFitHook(dataset(tiny_store), max_slices=12)
    hook.before_train(runner)
    fitted = at_epoch(runner, hook, 2)
    runner.hooks = [
        PseudoLabelHook(
            dict(type='PseudoLabeler', calibration=dict(type='EvidenceFusion')), start_epoch=2
        )
    ]
    again = EvidenceFitHook(dataset(tiny_store), max_slices=12)
    again.before_train(runner)
    assert (fusion_of(runner).weights, fusion_of(runner).offset) == fitted
    with torch.no_grad():
        runner.model.decode_head.predict_logit.weight.mul_(3)
    assert at_epoch(runner, again, 3) == fitted


def test_it_reads_pixels_inside_the_lungs_of_slices_with_a_mask(runner, tiny_store, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        EvidenceFusion, 'fit', lambda self, *args: seen.update(args=args) or 'nothing'
    )
    hook = EvidenceFitHook(dataset(tiny_store, ['val']), max_slices=None)
    hook.fit(runner)
    logits, masks, patients = seen['args']
    store = SliceStore(tiny_store)
    rows = store.rows('default', 'val')
    lungs = [store.lung(r) & (store.display(r) != 0) for r in rows]
    assert len(logits) == len(masks) == len(patients) == sum(int(lung.sum()) for lung in lungs)
    infected = sum(int(store.infection(r)[lung].sum()) for r, lung in zip(rows, lungs, strict=True))
    assert masks.sum() == infected > 0
    assert set(patients) == {store.case_of(r).patient for r in rows}


def test_unlabelled_slices_have_no_mask_to_fit_on(runner, tiny_store):
    EvidenceFitHook(dataset(tiny_store, ['unlabelled']), max_slices=4).fit(runner)
    assert fusion_of(runner).weights == [0, 0, 1, 0]
    assert 'infection' in runner.said[-1]


def test_it_changes_no_weight_gradient_or_mode(runner, tiny_store):
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    EvidenceFitHook(dataset(tiny_store), max_slices=4).fit(runner)
    assert runner.model.training and all(p.grad is None for p in runner.model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in runner.model.state_dict().items())


def test_it_needs_labels_that_can_be_fitted(runner, tiny_store):
    runner.hooks = [PseudoLabelHook(dict(type='PseudoLabeler'), start_epoch=2)]
    with pytest.raises(ValueError, match='EvidenceFusion'):
        EvidenceFitHook(dataset(tiny_store)).before_train(runner)


@pytest.mark.parametrize('wrong', [dict(interval=0), dict(max_slices=0), dict(batch_size=0)])
def test_numbers_below_one_are_refused(tiny_store, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        EvidenceFitHook(dataset(tiny_store), **wrong)
