"""PseudoSeg: the refined Grad-CAM and what it learns."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch.nn import functional as F

from xaicovid_mm.classes import COVID, NP
from xaicovid_mm.models import GradCAMRefiner, PseudoSegModel
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4, 4, 4)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)


@pytest.fixture
def model():
    return PseudoSegModel(
        refiner=dict(type='GradCAMRefiner', width=8),
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead', alphas=(0, 0, 0)),
        decode_head=dict(type='UNetDecodeHead'),
    )


def test_attention_of_like_features_spreads_evidence_evenly():
    refiner = GradCAMRefiner(in_channels=(2, 2), width=4)
    seen = {}
    refiner.predict.register_forward_hook(lambda m, args, out: seen.update(pair=args[0]))
    feats = [torch.ones(1, 2, 4, 4), torch.ones(1, 2, 2, 2)]
    evidence = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    refiner(feats, evidence)
    # everywhere a quarter, and the evidence itself on top; background is what is left of 2
    assert seen['pair'][0, 1].flatten().tolist() == pytest.approx([1.25, 0.25, 0.25, 0.25])
    torch.testing.assert_close(seen['pair'].sum(1), torch.full((1, 2, 2), 2.0))


@pytest.mark.parametrize('seed', range(4))
def test_more_evidence_is_more_infection_whatever_the_seed(seed):
    torch.manual_seed(seed)
    refiner = GradCAMRefiner(in_channels=(2,), in_index=(-1,), width=4)
    evidence = torch.linspace(0, 1, 16).reshape(1, 1, 4, 4)
    logits = refiner([torch.rand(1, 2, 4, 4)], evidence)
    infection = (logits[:, 1] - logits[:, 0]).flatten()
    assert (infection.diff() > 0).all()
    # batch norm centres each logit, so the mean says how rare infection is taken to be
    assert infection.mean().sigmoid().item() == pytest.approx(0.01, abs=1e-5)


def test_the_refiner_does_not_teach_the_features():
    refiner = GradCAMRefiner(in_channels=(2,), in_index=(-1,), width=4)
    feature = torch.rand(1, 2, 2, 2, requires_grad=True)
    refiner([feature], torch.rand(1, 1, 2, 2)).sum().backward()
    assert feature.grad is None and refiner.query.weight.grad is not None


def labelled(label):
    infection = torch.zeros(1, 32, 32, dtype=torch.uint8)
    infection[:, 8:16, 8:16] = label == COVID
    return CTSample(metainfo=dict(is_labelled=True), label=torch.tensor(label), infection=infection)


def test_the_refined_map_learns_the_masks(model):
    images, samples = torch.rand(2, 1, 32, 32), [labelled(COVID), labelled(NP)]
    losses = model.loss(images, samples)
    assert set(losses) == {'loss_ce', 'loss_s', 'loss_sa'}
    feats, masks = model.features(images), torch.stack([s.infection for s in samples])
    logits = F.interpolate(model.refine(feats, torch.tensor([1.0, 0.0])), (32, 32), mode='bilinear')
    expected = 5 * F.cross_entropy(logits, masks[:, 0].long())
    torch.testing.assert_close(losses['loss_sa'], expected)
    losses['loss_sa'].backward()
    assert model.refiner.key.weight.grad is not None
    assert all(p.grad is None for p in model.backbone.parameters())


def test_a_slice_without_the_class_has_no_evidence(model):
    seen = {}
    model.refiner.register_forward_hook(lambda m, args, out: seen.update(evidence=args[1]))
    model.refine(model.features(torch.rand(2, 1, 32, 32)), torch.tensor([1.0, 0.0]))
    assert seen['evidence'][1].abs().sum() == 0
    assert seen['evidence'][0].max() in (0, 1)


def test_a_model_without_a_head_is_refused():
    with pytest.raises(ValueError, match='cls_head and a decode_head'):
        PseudoSegModel(
            refiner=dict(type='GradCAMRefiner'),
            backbone=dict(type='MultiScaleVGG', widths=WIDTHS),
            decode_head=dict(type='UNetDecodeHead'),
        )


def test_the_refiner_names_maps_that_do_not_fit():
    with pytest.raises(ValueError, match=r'in_channels \(4,\) and in_index \(-2, -1\)'):
        GradCAMRefiner(in_channels=(4,))
