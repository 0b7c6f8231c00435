"""The classifier and its class activation maps, Eqs. (1), (2) and (5)."""

import pytest
import torch
from torch.nn import functional as F

from xaicovid_mm.models import MultiScaleCAMHead


def test_logits_are_the_summed_maxima_of_the_score_maps():
    head = MultiScaleCAMHead((3, 3, 3), num_classes=3)
    for classify in head.classifiers:  # class score maps become the features themselves
        classify.weight.data = torch.eye(3)[:, :, None, None]
        classify.bias.data.zero_()
    feats = [
        torch.tensor([[[[0.0, 1], [2, -1]], [[1, 1], [0, 0]], [[-3, -2], [-5, -4]]]]),
        torch.tensor([[[[0.5]], [[1.5]], [[2.0]]]]),
        torch.tensor([[[[1.0, 0]], [[0, 2]], [[3, 1]]]]),
    ]
    assert head(feats)[0].tolist() == [3.5, 4.5, 3.0]
    assert head.loss(feats, torch.tensor([1]))['ce'].item() == pytest.approx(0.4643687841)


def test_the_cam_is_the_score_map_without_its_bias():
    head = MultiScaleCAMHead((4,), in_index=(0,), alphas=(5,))
    feats = [torch.randn(2, 4, 3, 3)]
    labels = torch.tensor([2, 0])
    scores = head.classifiers[0](feats[0])[torch.arange(2), labels]
    bias = head.classifiers[0].bias[labels][:, None, None]
    torch.testing.assert_close(head.class_maps(feats, labels)[0], scores - bias)


@pytest.mark.parametrize('pool', ['max', 'avg', 'lse'])
def test_every_pooling_of_a_constant_map_is_that_constant(pool):
    head = MultiScaleCAMHead((4,), in_index=(0,), alphas=(5,), pool=pool)
    flat = torch.ones(1, 4, 3, 3)
    expected = head.classifiers[0](flat)[:, :, 0, 0]
    torch.testing.assert_close(head([flat]), expected)


def test_without_any_alpha_there_is_no_cam_loss():
    feats, labels = [torch.rand(1, 2, 4, 4)] * 3, torch.tensor([0])
    assert 'cam' not in MultiScaleCAMHead((2, 2, 2), alphas=(0, 0, 0)).loss(feats, labels)
    assert MultiScaleCAMHead((2, 2, 2), alphas=(0, 0, 5)).loss(feats, labels)['cam'] > 0


def test_three_equal_scales_cost_three_times_alpha_times_one():
    head = MultiScaleCAMHead((2, 2, 2), num_classes=1, alphas=(5, 5, 5))
    features = torch.tensor([[[[1.0, 2], [4, 3]], [[0, 3], [1, 2.5]]]])
    for classify in head.classifiers:
        classify.weight.data = torch.tensor([[1.0, -1.0]])[:, :, None, None]
    loss = head.loss([features] * 3, torch.tensor([0]))['cam']
    assert loss.item() == pytest.approx(8.66875 - 0.7)


def scales(requires_grad=False):
    torch.manual_seed(0)
    return [torch.randn(2, 4, n, n, requires_grad=requires_grad) for n in (8, 4, 2)]


ALL = dict(type='CAMLoss', detach='all')


def head_of_four(**settings):
    torch.manual_seed(1)
    return MultiScaleCAMHead((4, 4, 4), **settings)


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_only_a_share_of_the_gradient_reaches_the_encoder(share):
    labels = torch.tensor([1, 2])
    whole, damped = scales(True), scales(True)
    sum(head_of_four().loss(whole, labels).values()).backward()
    head = head_of_four(encoder_grad=share)
    losses = head.loss(damped, labels)
    torch.testing.assert_close(losses, head_of_four().loss(whole, labels))
    sum(losses.values()).backward()
    for a, b in zip(whole, damped, strict=True):
        found = torch.zeros_like(a) if b.grad is None else b.grad
        torch.testing.assert_close(found, share * a.grad)
    assert all(p.grad is not None for p in head.parameters())


def test_an_explanation_sees_the_whole_gradient():
    feats, head = scales(True), head_of_four(encoder_grad=0.0).eval()
    head(feats).sum().backward()
    assert all(f.grad.any() for f in feats)


def test_with_an_adapter_the_cam_loss_shapes_features_of_the_heads_own():
    feats, head = scales(True), head_of_four(adapter=1, encoder_grad=0.0)
    head.loss(feats, torch.tensor([1, 2]))['cam'].backward()
    assert all(f.grad is None for f in feats)
    assert all(p.grad.any() for p in head.adapters.parameters())
    caams = [f.sum(1) for f in head.select(feats)]
    assert all(
        not torch.allclose(a, f.sum(1), atol=1e-2) for a, f in zip(caams, feats, strict=True)
    )


def test_score_maps_learn_where_the_infection_is():
    masks = torch.zeros(2, 1, 16, 16)
    masks[0, :, :8, :8] = 1
    head = head_of_four(map_weight=1.0, alphas=(0, 0, 0))
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    feats = [
        torch.cat((F.adaptive_avg_pool2d(masks, n), torch.randn(2, 3, n, n)), 1) for n in (8, 4, 2)
    ]
    for _ in range(200):
        optimiser.zero_grad()
        head.loss(feats, torch.tensor([2, 0]), masks)['map'].backward()
        optimiser.step()
    for score in head.score_maps(feats):
        wanted = F.adaptive_avg_pool2d(masks, score.shape[-2:])
        assert (score[:, 2:].sigmoid() - wanted).abs().max() < 0.2


def test_slices_without_a_mask_are_left_out_of_the_comparison():
    head, labels = head_of_four(map_weight=2.0), torch.tensor([2, 2])
    masks = torch.ones(2, 1, 16, 16)
    feats = scales()
    alone = head.loss([f[:1] for f in feats], labels[:1], masks[:1])['map']
    masks[1] = -1
    torch.testing.assert_close(head.loss(feats, labels, masks)['map'], alone)
    masks[0] = -1
    assert head.loss(feats, labels, masks)['map'].item() == 0
    assert 'map' not in head.loss(feats, labels)


@pytest.mark.parametrize(
    'wrong, named',
    [
        (dict(alphas=(5, 5)), 'alphas'),
        (dict(pool='median'), 'median'),
        (dict(encoder_grad=1.5), r'encoder_grad=1.5.*\[0, 1\]'),
        (dict(encoder_grad=-0.1), 'encoder_grad=-0.1'),
        (dict(adapter=-1), 'adapter=-1'),
        (dict(map_weight=-1.0), 'map_weight=-1.0'),
        (dict(cam_on='lungs'), "cam_on='lungs': choose 'slices'"),
    ],
)
def test_the_head_names_what_does_not_fit(wrong, named):
    with pytest.raises(ValueError, match=named):
        MultiScaleCAMHead(**wrong)


def test_the_cam_loss_may_be_kept_to_the_lungs_of_infected_slices():
    head, labels = head_of_four(cam_on='infected_lungs', cam_loss=ALL), torch.tensor([2, 0])
    feats, inside = scales(), torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    inside[..., :8] = True
    masks = torch.zeros(2, 1, 16, 16)
    masks[0, :, 4:6, 4:6] = 1
    found = head.loss(feats, labels, masks, inside=inside)['cam']
    halves = [f[:1, ..., : f.shape[-1] // 2] for f in feats]  # infected, and inside
    torch.testing.assert_close(found, head_of_four(cam_loss=ALL).loss(halves, labels[:1])['cam'])


def test_a_batch_without_infection_teaches_the_caam_of_infected_lungs_nothing():
    head, labels = head_of_four(cam_on='infected_lungs', adapter=1), torch.tensor([2, 0])
    feats, inside = scales(True), torch.ones(2, 1, 16, 16, dtype=torch.bool)
    for masks in (None, torch.zeros(2, 1, 16, 16), torch.full((2, 1, 16, 16), -1.0)):
        loss = head.loss(feats, labels, masks, inside=inside)['cam']
        assert loss.item() == 0
        loss.backward()  # every parameter stays in the graph, as distributed training wants
        assert all(not p.grad.any() for p in head.adapters.parameters())


def test_without_the_lungs_there_is_no_cam_loss_inside_them():
    head = head_of_four(cam_on='infected_lungs')
    with pytest.raises(ValueError, match='give inside'):
        head.loss(scales(), torch.tensor([2, 0]))
