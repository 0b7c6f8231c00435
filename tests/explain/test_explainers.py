"""Maps by one call, whatever the method."""

import copy

import captum.attr
import numpy as np
import pytest
import torch
from tiny_model import CONFIG
from torch import nn

from xaicovid_mm.explain import (
    ActivationExplainer,
    CaptumAttribution,
    DecoderExplainer,
    GradCAMExplainer,
    InfectionSaliencyExplainer,
    IntensityExplainer,
    RandomExplainer,
    Saliency,
    SaliencyExplainer,
    grad_cam,
    infection_score,
)
from xaicovid_mm.explain.saliency import BASELINES
from xaicovid_mm.models.heads import PooledHead
from xaicovid_mm.registry import MODELS, TASK_UTILS

SIDE = 32
CONFIGS = [
    dict(type='ActivationExplainer'),
    dict(type='ActivationExplainer', source='class'),
    dict(type='SaliencyExplainer', steps=2),
    dict(type='GradCAMExplainer'),
    dict(type='DecoderExplainer'),
    dict(type='InfectionSaliencyExplainer', threshold=0.0, steps=2),
    dict(type='IntensityExplainer'),
    dict(type='RandomExplainer'),
    dict(type='CaptumAttribution', method='InputXGradient'),
    dict(type='CaptumAttribution', method='GradientShap', n_samples=2),
    dict(
        type='CaptumAttribution',
        method='Occlusion',
        sliding_window_shapes=[1, 8, 8],
        strides=[1, 8, 8],
    ),
]


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(CONFIG))


@pytest.fixture(scope='module')
def images():
    rng = torch.Generator().manual_seed(0)
    lung = torch.zeros(3, 1, SIDE, SIDE, dtype=torch.bool)
    lung[..., 4:28, 4:28] = True
    return torch.where(lung, 0.2 + 0.5 * torch.rand(lung.shape, generator=rng), 0.0)


@pytest.mark.parametrize('cfg', CONFIGS, ids=lambda c: c.get('method', c['type']))
def test_a_map_is_inside_the_lungs_and_of_each_slice_alone(cfg, model, images):
    explain, labels = TASK_UTILS.build(copy.deepcopy(cfg)), torch.tensor([2, 0, 2])
    model.train()
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    with torch.no_grad():  # as in a validation
        maps = explain(model, images, labels)
    assert model.training and all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert maps.shape == images.shape and not maps.requires_grad
    assert (maps >= 0).all() and (maps[images == 0] == 0).all()
    alone = torch.cat([explain(model, images[i : i + 1], labels[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(maps, alone, atol=1e-5, rtol=1e-4)
    assert explain(model, images[:0], labels[:0]).shape == (0, 1, SIDE, SIDE)


def test_the_decoder_says_the_same_of_every_class_and_a_class_map_does_not(model, images):
    of = [torch.full((3,), label) for label in (1, 2)]
    one, other = (DecoderExplainer()(model, images, labels) for labels in of)
    torch.testing.assert_close(one, other)
    explain = ActivationExplainer('class')
    one, other = (explain(model, images, labels) for labels in of)
    assert (one - other).abs().max() > 0.1


def test_the_saliency_of_the_infection_is_that_of_its_mask_and_blank_without_one(model, images):
    labels = torch.zeros(3, dtype=torch.long)

    def logits(x):
        return model.segment(model.features(x), x.shape[-2:])

    with torch.no_grad():
        probs = logits(images).sigmoid()
    middle = float(probs[images != 0].median())
    found = InfectionSaliencyExplainer(middle, steps=2)(model, images, labels)
    score = infection_score(logits, (probs > middle) & (images != 0))
    torch.testing.assert_close(found, Saliency(2).of(score, images))
    assert found.any() and not InfectionSaliencyExplainer(1.0)(model, images, labels).any()


def test_a_network_says_what_it_lacks_for_a_map(model, images):
    bare = copy.deepcopy(model)
    bare.decode_head, bare.cls_head = None, PooledHead(in_channels=4)
    for explain, part in (
        (ActivationExplainer(), 'PooledHead, has no class activation maps'),
        (DecoderExplainer(), 'no decode_head'),
        (InfectionSaliencyExplainer(), 'no decode_head'),
    ):
        assert part in explain.lacks(bare) and explain.lacks(model) == ''
        with pytest.raises(ValueError, match=part):
            explain(bare, images, torch.zeros(3, dtype=torch.long))


def test_captums_attributions_are_captums(model, images):
    model.eval()

    def classify(x):
        return model.classify(model.features(x))

    labels = torch.tensor([0, 1, 2])
    ours = CaptumAttribution('InputXGradient')(model, images, labels)
    theirs = captum.attr.InputXGradient(classify).attribute(
        images.clone().requires_grad_(), target=labels
    )
    torch.testing.assert_close(ours, theirs.detach().abs(), atol=1e-3, rtol=1e-3)


def test_grad_cam_is_ours_enlarged(model, images):
    model.eval()
    with torch.no_grad():
        feats = model.features(images)
    small = grad_cam(lambda f: model.classify([*feats[:-1], f]), feats[-1], 1)
    found = GradCAMExplainer()(model, images, torch.ones(3, dtype=torch.long))
    large = nn.functional.interpolate(small, (SIDE, SIDE), mode='bilinear', align_corners=False)
    torch.testing.assert_close(found, large * (images != 0))


class Squares(nn.Module):
    """A network whose only logit is the sum of the squares."""

    def features(self, inputs):
        return [inputs]

    def classify(self, feats):
        return feats[0].square().flatten(1).sum(1, keepdim=True)


def test_the_completeness_gap_by_hand(images):
    labels = torch.zeros(3, dtype=torch.long)
    for steps in (1, 4):  # the printed sum of Eq. (7) gives (steps + 1) / steps of the squares
        gap = SaliencyExplainer(steps=steps).completeness_gap(Squares(), images, labels)
        torch.testing.assert_close(gap, torch.full((3,), 1 / steps), atol=1e-4, rtol=0)
    nothing = SaliencyExplainer().completeness_gap(Squares(), 0 * images, labels)
    assert nothing.isnan().all()


@pytest.mark.parametrize(
    'kwargs, text',
    [
        (dict(method='Magic'), "'Magic'"),
        (dict(method='LayerGradCam'), "'LayerGradCam'"),  # of layers, not of inputs
        (dict(method='NoiseTunnel'), "'NoiseTunnel'"),  # of another attribution
        (dict(method='GuidedGradCam'), "'GuidedGradCam'"),  # needs a layer
        (dict(method='PerturbationAttribution'), "'PerturbationAttribution'"),  # a base class
        (dict(method='GradientShap', baseline=['black', 'white']), "'white'"),
        (dict(method='GradientShap', baseline=[]), 'choose of'),
        (dict(method='Occlusion', window=3), 'window'),
        (dict(method='Saliency', sign='both'), "'both'"),
        (dict(method='Occlusion', baseline='white'), "'white'"),
    ],
)
def test_what_captum_does_not_know_is_refused_at_once(kwargs, text):
    with pytest.raises(ValueError, match=text):
        CaptumAttribution(**kwargs)


def test_expected_gradients_average_over_several_baselines(images):
    """Of the sum of squares, each is the square less that of the baseline."""
    labels = torch.zeros(3, dtype=torch.long)
    found = {
        baseline: CaptumAttribution('GradientShap', baseline=baseline, n_samples=400)(
            Squares(), images, labels
        )
        for baseline in ('black', 'mean', ('black', 'mean'))
    }
    both = (images**2 - BASELINES['mean'](images) ** 2 / 2).abs()
    torch.testing.assert_close(found['black', 'mean'], both, atol=0.04, rtol=0)
    assert (found['black'] - both).abs().max() > 0.06 < (found['mean'] - both).abs().max()


def test_what_captum_cannot_do_is_an_error_that_names_the_method(model, images):
    labels = torch.zeros(3, dtype=torch.long)
    with pytest.raises(ValueError, match="captum's LRP cannot make this map: Module of type"):
        CaptumAttribution('LRP')(model, images, labels)
    wide = CaptumAttribution('Occlusion', sliding_window_shapes=[1, 64, 64])
    with pytest.raises(ValueError, match="captum's Occlusion cannot make this map"):
        wide(model, images, labels)


def test_guided_backprop_is_refused_where_it_would_be_the_plain_gradient(model, images):
    with pytest.raises(ValueError, match=r'nn\.ReLU'):
        CaptumAttribution('GuidedBackprop')(model, images, torch.zeros(3, dtype=torch.long))


def test_plain_maps_need_no_network(images):
    labels = torch.zeros(3, dtype=torch.long)
    assert torch.equal(IntensityExplainer()(None, images, labels), images)
    one, other = (RandomExplainer(seed)(None, images, labels) for seed in (0, 1))
    assert not torch.equal(one, other) and torch.equal(
        one, RandomExplainer(0)(None, images, labels)
    )
