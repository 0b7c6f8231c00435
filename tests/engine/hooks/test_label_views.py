"""The oracle and UniMatch: what their hooks make of a batch, and what the model learns of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope

from xaicovid_mm.datasets.transforms import PackCTInputs, TwoStrongViews
from xaicovid_mm.engine.hooks import OracleLabelHook, UniMatchHook
from xaicovid_mm.models import MultiTaskModel, UniMatchModel
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4, 4, 4)
DECODER = dict(
    type='PseudoLabeler',
    evidence_from='none',
    hard=True,
    calibration=dict(type='WeightedMean', weights=(0, 0, 1)),
)
SIDE = 32


def runner_of(model_class, name):
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    model = model_class(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )
    return SimpleNamespace(
        model=model,
        message_hub=MessageHub.get_instance(name),
        logger=MMLogger.get_current_instance(),
        epoch=0,
        iter=3,
        seed=1,
        hooks=[],
        train_dataloader=range(5),
    )


def batch(second=True):
    """One labelled and two unlabelled slices, with masks and classes as ``reveal`` gives them."""
    samples, views = [], []
    for number in range(3):
        meta = dict(sample_id=f'case/{number}', is_labelled=number == 0)
        mask = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
        mask[:, number : number + 8] = 1
        sample = CTSample(metainfo=meta, label=torch.tensor(2), infection=mask)
        if second and number:
            sample.second_view = torch.full((1, SIDE, SIDE), 0.5 + number)
        samples.append(sample)
        views.append(torch.full((1, SIDE, SIDE), float(number)))
    return dict(inputs=views, weak_inputs=[v + 0.1 for v in views], data_samples=samples)


def labelled_batch(hook, runner, data):
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    hook.before_train_iter(runner, 0, data)
    return data['inputs'], data['data_samples']


def test_the_oracle_teaches_true_masks_and_no_class(request):
    runner, data = runner_of(MultiTaskModel, request.node.name), batch()
    del data['data_samples'][2].infection  # nobody drew it
    _, samples = labelled_batch(OracleLabelHook(DECODER, start_epoch=0), runner, data)
    assert [('label' in s, 'infection' in s) for s in samples] == [(True, True)] + [
        (False, False)
    ] * 2
    assert samples[1].pseudo_mask[0, :, 0].tolist() == [0.0] + [1.0] * 8 + [0.0] * 23
    assert (samples[2].pseudo_mask == -1).all()


def test_before_the_oracle_starts_unlabelled_slices_leave_the_batch(request):
    runner, data = runner_of(MultiTaskModel, request.node.name), batch()
    inputs, samples = labelled_batch(OracleLabelHook(DECODER, start_epoch=1), runner, data)
    assert len(inputs) == len(samples) == 1 and samples[0].is_labelled


def unlabelled(data):
    for sample in data['data_samples'][1:]:
        del sample.label, sample.infection
    return data


def test_unimatch_shows_a_slice_thrice_with_one_label(request):
    runner, data = runner_of(UniMatchModel, request.node.name), unlabelled(batch())
    inputs, samples = labelled_batch(UniMatchHook(DECODER, start_epoch=0), runner, data)
    assert [float(view[0, 0, 0]) for view in inputs] == pytest.approx([0, 1, 2, 1.5, 2.5, 1.1, 2.1])
    fields = ['infection', *['pseudo_mask'] * 4, *['weak_mask'] * 2]
    assert all(field in sample for field, sample in zip(fields, samples, strict=True))
    assert not any('pseudo_mask' in sample or 'second_view' in sample for sample in samples[5:])
    for k in (1, 2):
        same = samples[k].pseudo_mask, samples[k + 2].pseudo_mask, samples[k + 4].weak_mask
        assert all(torch.equal(mask, same[0]) for mask in same)


def test_boxes_are_pasted_into_both_strong_views_and_not_into_the_weak_one(request):
    runner, data = runner_of(UniMatchModel, request.node.name), unlabelled(batch())
    paste = dict(type='PasteBoxes', area=(0.2, 0.4), labelled=0.0)
    inputs, _ = labelled_batch(UniMatchHook(DECODER, start_epoch=0, paste=paste), runner, data)
    values = [sorted(set(view.unique().tolist())) for view in inputs]
    assert values[1:5] == [[1, 2], [1, 2], [2.5, 1.5][::-1], [1.5, 2.5]]
    assert [len(v) for v in values[5:]] == [1, 1]
    assert not torch.equal(inputs[1] == 1, inputs[3] == 1.5)  # boxes of their own


def test_a_pipeline_without_a_second_view_is_named(request):
    runner, data = runner_of(UniMatchModel, request.node.name), unlabelled(batch(second=False))
    with pytest.raises(KeyError, match='case/1 has no second strong view: put TwoStrongViews'):
        labelled_batch(UniMatchHook(DECODER, start_epoch=0), runner, data)


def test_strong_views_and_dropped_features_share_eta(request):
    runner, data = runner_of(UniMatchModel, request.node.name), unlabelled(batch())
    inputs, samples = labelled_batch(UniMatchHook(DECODER, start_epoch=0), runner, data)
    model = runner.model
    model.drop.p = 0.0  # drops nothing, so both terms are losses of weak views
    feats = model.features(torch.stack(inputs))
    losses = model.loss_terms(feats, samples)
    strong, masks = [f[1:5] for f in feats], torch.stack([s.pseudo_mask for s in samples[1:5]])
    weak, labels = [f[5:] for f in feats], torch.stack([s.weak_mask for s in samples[5:]])
    half = model.loss_weights['eta'] / 2
    torch.testing.assert_close(losses['loss_u'], half * model.segmentation_loss(strong, masks))
    torch.testing.assert_close(losses['loss_drop'], half * model.segmentation_loss(weak, labels))
    model.drop.p = 0.5
    assert losses['loss_drop'] != model.train().loss_terms(feats, samples)['loss_drop']


@pytest.mark.parametrize('drop', [0, 1, 1.5])
def test_a_share_to_drop_outside_0_to_1_is_refused(drop):
    with pytest.raises(ValueError, match=f'drop={drop} must lie'):
        UniMatchModel(
            drop=drop,
            backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
            decode_head=dict(type='UNetDecodeHead'),
        )


def test_two_strong_views_differ_and_go_with_an_unlabelled_slice_alone():
    meta = dict(case='c', patient='p', site='s', slice_index=0, pixel_mm=None)
    for labelled in (True, False):
        image = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
        results = dict(
            meta, image=image, lung=None, label=None, infection=None, sample_id='c/0',
            is_labelled=labelled, rng=np.random.default_rng(1),
        )  # fmt: skip
        packed = PackCTInputs(two_views=True)(TwoStrongViews()(results))
        sample = packed['data_samples']
        assert ('second_view' in sample) != labelled
        if not labelled:
            assert not torch.equal(sample.second_view, packed['inputs'])
            assert not torch.equal(sample.second_view, packed['weak_inputs'])
