"""Sec. III-D: explanations become soft masks, and nothing else changes."""

import copy

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.classes import COVID, NP
from xaicovid_mm.explain import FusedActivation, PseudoLabeler, class_activation
from xaicovid_mm.explain.pseudo_labeler import IGNORED
from xaicovid_mm.models import MultiTaskModel

WIDTHS = (2, 3, 4, 4, 4)
VGG = dict(
    backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
    cls_head=dict(type='MultiScaleCAMHead'),
    decode_head=dict(type='UNetDecodeHead'),
)
RESNET = dict(
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=1, out_indices=(0, 1, 2, 3)),
    cls_head=dict(type='MultiScaleCAMHead'),
    decode_head=dict(type='UNetDecodeHead'),
)
FCN = dict(
    VGG,
    decode_head=dict(
        type='FCNHead',
        _scope_='mmseg',
        in_index=2,
        channels=4,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        dropout_ratio=0.5,
    ),
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)


@pytest.fixture
def model():
    return MultiTaskModel(**VGG)


@pytest.fixture
def images():
    images = torch.rand(3, 1, 32, 32)
    images[..., :6] = 0
    return images


def always(model, label):
    """The model, sure of a class."""
    for classify in model.cls_head.classifiers:
        classify.bias.data[:] = -100
        classify.bias.data[label] = 100
    return model


def test_masks_are_soft_and_detached(model, images):
    masks = PseudoLabeler()(model, images)
    assert masks.shape == images.shape and not masks.requires_grad
    inside = masks[images != 0]
    assert 0 <= inside.min() and inside.max() <= 1 and len(inside.unique()) > 100


def test_outside_the_lungs_nothing_is_taught_and_every_map_is_0(model, images):
    labeler = PseudoLabeler(evidence_from='none')
    assert (labeler(model, images)[images == 0] == IGNORED).all()
    sources = labeler.sources(model, images)
    for name in ('caam', 'saliency', 'prob'):
        assert not sources[name][images == 0].any() and sources[name][images != 0].any()


def test_sources_lie_between_0_and_1(model, images):
    sources = (
        PseudoLabeler(evidence_from='none')(model, images),
        PseudoLabeler().sources(model, images),
    )
    for name in ('caam', 'saliency', 'prob'):
        assert 0 <= sources[1][name].min() and sources[1][name].max() <= 1


@pytest.mark.parametrize('label, has_evidence', [(COVID, True), (NP, False)])
def test_only_slices_taken_for_covid_have_evidence(model, images, label, has_evidence):
    sources = PseudoLabeler().sources(always(model, label), images)
    for name in ('caam', 'saliency'):
        assert bool(sources[name].any()) == has_evidence
    assert sources['prob'].any()


def test_a_batch_without_covid_costs_no_gradient(model, images, monkeypatch):
    labeler = PseudoLabeler()
    monkeypatch.setattr(labeler, 'saliency', lambda *args: pytest.fail('saliency was computed'))
    masks = labeler(always(model, NP), images)
    assert masks.isfinite().all() and masks.max() <= 0.5


def test_a_saliency_of_weight_zero_is_not_computed(model, images, monkeypatch):
    labeler = PseudoLabeler(
        dict(type='SharpenCombination', weights=(0.3, 0, 0.4)), evidence_from='none'
    )
    monkeypatch.setattr(labeler, 'saliency', lambda *args: pytest.fail('saliency was computed'))
    labeler(model, images)


def test_evidence_may_follow_the_class_of_the_sample(model, images):
    labels = torch.tensor([COVID, NP, COVID])
    sources = PseudoLabeler(evidence_from='label').sources(always(model, NP), images, labels)
    assert sources['evidence'].tolist() == [1, 0, 1]


def test_evidence_by_label_needs_labels(model, images):
    with pytest.raises(ValueError, match='weak_labels=True'):
        PseudoLabeler(evidence_from='label')(model, images)


def test_the_probability_may_scale_the_evidence(model, images):
    sources = PseudoLabeler(evidence_from='prob').sources(model, images)
    torch.testing.assert_close(sources['caam'].amax((1, 2, 3)), sources['evidence'])


def test_a_slice_without_evidence_may_have_an_empty_mask(model, images):
    masks = PseudoLabeler(non_target='zero')(always(model, NP), images)
    assert not masks[images != 0].any()


def test_a_slice_without_evidence_may_teach_nothing(model, images):
    skipped = PseudoLabeler(non_target='skip')
    assert (skipped(always(model, NP), images) == IGNORED).all()
    assert (skipped(always(model, COVID), images)[images != 0] >= 0).all()


def test_pixels_in_doubt_are_ignored_and_the_rest_may_be_rounded(model, images):
    soft = PseudoLabeler(evidence_from='none')(model, images)
    sure = (images != 0) & (torch.maximum(soft, 1 - soft) >= 0.7)
    assert 0 < sure.sum() < (images != 0).sum()
    found = PseudoLabeler(evidence_from='none', hard=True, confidence=0.7)(model, images)
    assert torch.equal(found, torch.where(sure, (soft > 0.5).float(), IGNORED))


def test_activation_may_be_the_cam_of_the_class_and_ends_at_the_lung(model, images):
    feats = model.backbone(images)
    found = {
        source: FusedActivation(source)(model.cls_head, feats, images, COVID)
        for source in ('caam', 'cam')
    }
    for classify in model.cls_head.classifiers:
        classify.weight.data[COVID] = 1.0  # then the CAM is the sum of the features
    summed = FusedActivation('cam')(model.cls_head, feats, images, COVID)
    torch.testing.assert_close(summed, found['caam'], atol=1e-5, rtol=0)
    assert not torch.allclose(found['cam'], found['caam'], atol=0.05)
    for activation in found.values():
        assert not activation[images == 0].any()
        inside = [a[i != 0] for a, i in zip(activation, images, strict=True)]
        assert [(a.min().item(), a.max().item()) for a in inside] == [(0, 1)] * 3


def test_activation_may_be_the_probability_of_score_maps(model, images):
    feats = model.backbone(images)
    found = FusedActivation('score')(model.cls_head, feats, images, COVID)
    assert not found[images == 0].any()
    for classify in model.cls_head.classifiers:
        classify.weight.data[COVID], classify.bias.data[COVID] = 0.0, 1.0
    sure = FusedActivation('score')(model.cls_head, feats, images, COVID)
    expected = torch.where(images != 0, torch.sigmoid(torch.tensor(1.0)), 0.0)
    torch.testing.assert_close(sure, expected)


@pytest.mark.parametrize('weight, source', [(0.0, 'cam'), (5.0, 'score')])
def test_the_map_of_a_class_that_is_shown_is_the_score_map_where_masks_taught_it(weight, source):
    head = MultiTaskModel(**{**VGG, 'cls_head': dict(type='MultiScaleCAMHead', map_weight=weight)})
    assert class_activation(head.cls_head).source == source


def test_a_slice_without_lungs_has_no_activation(model):
    black = torch.zeros(1, 1, 32, 32)
    for source in ('caam', 'cam', 'score'):
        found = FusedActivation(source)(model.cls_head, model.backbone(black), black, COVID)
        assert found.isfinite().all() and not found.any()


def test_all_evidence_can_be_shown_for_a_picture(model, images):
    sources = PseudoLabeler().sources(always(model, NP), images, evidence_from='none')
    assert sources['caam'].any() and sources['saliency'].any()


@pytest.mark.parametrize('config', [VGG, RESNET, FCN], ids=['vgg', 'resnet18', 'dropout'])
def test_nothing_of_the_network_or_the_dice_changes(config, images):
    model = MultiTaskModel(**copy.deepcopy(config)).train()
    model.backbone.eval()  # a part that is frozen must stay so
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()

    PseudoLabeler(evidence_from='none')(model, images)

    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training and not model.backbone.training


def test_a_slice_is_labelled_the_same_alone_and_in_a_batch(model, images):
    labeler = PseudoLabeler(evidence_from='none')
    together, alone = labeler(model, images), labeler(model, images[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    'wrong', [dict(evidence_from='open'), dict(non_target='drop'), dict(confidence=1.0)]
)
def test_nonsense_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=str(*wrong.values())):
        PseudoLabeler(**wrong)


def test_a_map_without_weight_is_not_computed(model, images, monkeypatch):
    labeler = PseudoLabeler(dict(type='WeightedMean', weights=(0, 0, 1)), evidence_from='none')
    for name in ('activation', 'saliency'):
        monkeypatch.setattr(labeler, name, lambda *_: pytest.fail('it was computed'))
    mask = labeler(model, images)
    model.eval()
    expected = torch.where(images != 0, model(images)[1].sigmoid(), IGNORED)
    torch.testing.assert_close(mask, expected)
    monkeypatch.undo()
    every = labeler.sources(model, images, every=True)
    assert every['caam'].any() and every['saliency'].any()
