"""The classifier and its class activation maps, Eqs. (1), (2) and (5)."""

import pytest
import torch

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
    assert MultiScaleCAMHead((2, 2, 2), alphas=(0, 0, 0)).loss_cam(feats, labels) is None
    assert MultiScaleCAMHead((2, 2, 2), alphas=(0, 0, 5)).loss_cam(feats, labels) > 0


def test_three_equal_scales_cost_three_times_alpha_times_one():
    head = MultiScaleCAMHead((2, 2, 2), num_classes=1, alphas=(5, 5, 5))
    features = torch.tensor([[[[1.0, 2], [4, 3]], [[0, 3], [1, 2.5]]]])
    for classify in head.classifiers:
        classify.weight.data = torch.tensor([[1.0, -1.0]])[:, :, None, None]
    loss = head.loss_cam([features] * 3, torch.tensor([0]))
    assert loss.item() == pytest.approx(8.66875 - 0.7)


@pytest.mark.parametrize('wrong', [dict(alphas=(5, 5)), dict(pool='median')])
def test_the_head_names_what_does_not_fit(wrong):
    with pytest.raises(ValueError):
        MultiScaleCAMHead(**wrong)
