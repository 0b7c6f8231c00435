"""Eqs. (11) and (12)."""

import math

import pytest
import torch

from xaicovid_mm.models.losses import WeightedBCELoss


def column(*values):
    return torch.tensor(values).view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    'logit, target, expected',
    [
        (0.0, 1.0, math.log(2)),
        (2.0, 0.0, 1.0634640055),
        (-1.0, 0.25, 0.4457885547),
        (1000.0, 0.0, 500.0),
        (-1000.0, 1.0, 1000.0),
    ],
)
def test_weighted_bce_by_hand(logit, target, expected):
    loss = WeightedBCELoss(0.5)(column(logit), column(target))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_weighted_bce_is_the_mean_over_pixels():
    loss = WeightedBCELoss(0.5)(column(0.0, 2.0, -1.0), column(1.0, 0.0, 0.25))
    assert loss.item() == pytest.approx(0.7341332469)


def test_weight_one_is_plain_binary_cross_entropy():
    logits, target = torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(WeightedBCELoss(1.0)(logits, target), plain)


def test_the_weight_is_on_the_background_term():
    logits = torch.randn(2, 1, 4, 4)
    ones = torch.ones_like(logits)
    torch.testing.assert_close(
        WeightedBCELoss(0.1)(logits, ones), WeightedBCELoss(1.0)(logits, ones)
    )
    torch.testing.assert_close(
        WeightedBCELoss(0.1)(logits, 0 * ones), 0.1 * WeightedBCELoss(1.0)(logits, 0 * ones)
    )


def test_the_best_prediction_of_a_soft_target_is_shifted_by_the_weight():
    logit, target = torch.zeros(1, 1, 1, 1, requires_grad=True), column(0.0558)
    for _ in range(400):
        (grad,) = torch.autograd.grad(WeightedBCELoss(0.5)(logit, target), logit)
        logit = (logit - 3 * grad).detach().requires_grad_()
    assert logit.sigmoid().item() == pytest.approx(0.0558 / (0.0558 + 0.5 * (1 - 0.0558)), abs=1e-4)


def test_the_slope_of_weighted_bce_by_hand():
    logit = torch.zeros(1, 1, 1, 1, requires_grad=True)
    WeightedBCELoss(0.5)(logit, column(0.25)).backward()
    assert logit.grad.item() == pytest.approx(0.0625)


def test_no_pixels_cost_nothing_and_keep_the_graph():
    logits = torch.zeros(0, 1, 4, 4, requires_grad=True)
    loss = WeightedBCELoss()(logits, torch.zeros(0, 1, 4, 4))
    loss.backward()
    assert loss.item() == 0


def test_ignored_pixels_neither_count_nor_pull():
    logits = torch.tensor([[[[2.0, 3.0]]]], requires_grad=True)
    loss = WeightedBCELoss(0.5)(logits, torch.tensor([[[[0.0, -1.0]]]]))
    assert loss.item() == pytest.approx(1.0634640055)  # the first pixel alone
    loss.backward()
    assert logits.grad[..., 1].item() == 0 and logits.grad[..., 0].item() > 0
    assert WeightedBCELoss()(logits, torch.full((1, 1, 1, 2), -1.0)).item() == 0


def test_the_mean_may_be_over_the_ignored_pixels_too():
    logits, target = torch.tensor([[[[2.0, 3.0]]]]), torch.tensor([[[[0.0, -1.0]]]])
    loss = WeightedBCELoss(0.5, mean_over='all')(logits, target)
    assert loss.item() == pytest.approx(1.0634640055 / 2)


def test_another_mean_is_refused():
    with pytest.raises(ValueError, match="mean_over='sure'"):
        WeightedBCELoss(mean_over='sure')


@pytest.mark.parametrize('target, weight', [((1.0, 0, 0), 0.5), ((0.0, 0, 0), 0.1), ((1, 1, 0), 1)])
def test_auto_weighs_background_by_its_excess_within_bounds(target, weight):
    logits, target = torch.randn(3, 1, 1, 1), column(*map(float, target))
    torch.testing.assert_close(
        WeightedBCELoss('auto')(logits, target), WeightedBCELoss(weight)(logits, target)
    )


def test_masks_of_another_size_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r'\(1, 1, 4, 4\).*\(1, 1, 8, 8\)'):
        WeightedBCELoss()(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize('weight', [0.0, -1.0, 1.5, 'automatic'])
def test_a_background_weight_outside_0_to_1_is_refused(weight):
    with pytest.raises(ValueError, match=str(weight)):
        WeightedBCELoss(weight)


@pytest.mark.parametrize('weight', [0.3, 1.0])
def test_the_lower_bound_is_reached_by_the_best_logits_and_by_no_other(weight):
    torch.manual_seed(0)
    target = torch.rand(1, 1, 4, 4)
    target[..., 0] = -1  # ignored
    y = target.abs().clamp(max=0.99)
    best = torch.logit(y / (y + weight * (1 - y)))
    loss = WeightedBCELoss(weight)
    torch.testing.assert_close(loss(best, target), loss.lower_bound(target))
    assert loss(best + 0.5, target) > loss.lower_bound(target) < loss(best - 0.5, target)


def test_hard_masks_can_be_learned_to_the_end():
    assert WeightedBCELoss(0.5).lower_bound(torch.tensor([[[[0.0, 1.0, -1.0]]]])).item() == 0
    assert WeightedBCELoss(0.5).lower_bound(torch.full((1, 1, 1, 2), -1.0)).item() == 0


def test_the_lower_bound_of_one_half_by_hand():
    # w = 1: log 2; over all pixels, of which one is ignored: half of it
    target = torch.tensor([[[[0.5, -1.0]]]])
    assert WeightedBCELoss(1.0).lower_bound(target).item() == pytest.approx(0.6931471806)
    assert WeightedBCELoss(1.0, 'all').lower_bound(target).item() == pytest.approx(0.3465735903)
