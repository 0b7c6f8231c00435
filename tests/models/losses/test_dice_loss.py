"""Mask losses of compared systems."""

import pytest
import torch
from monai.losses import DiceLoss as MonaiDice
from torch.nn import functional as F

from xaicovid_mm.models.losses import BCEDiceLoss, DiceLoss


def test_dice_loss_by_hand():
    logits = torch.zeros(1, 1, 1, 2)  # probabilities of a half
    target = torch.tensor([[[[1.0, 0.0]]]])
    # overlap 0.5, sums 1 and 1: (1 + 1) / (2 + 1)
    assert DiceLoss(smooth=1)(logits, target).item() == pytest.approx(1 / 3)


def test_dice_loss_of_each_sample_is_monais():
    logits, target = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.5).float()
    monai = MonaiDice(sigmoid=True, smooth_nr=1, smooth_dr=1)
    torch.testing.assert_close(DiceLoss(smooth=1)(logits, target), monai(logits, target))


def test_bce_and_dice_of_the_whole_batch():
    logits, target = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.5).float()
    monai = MonaiDice(sigmoid=True, smooth_nr=1e-5, smooth_dr=1e-5, batch=True)
    expected = F.binary_cross_entropy_with_logits(logits, target) + monai(logits, target)
    torch.testing.assert_close(BCEDiceLoss()(logits, target), expected)


def test_both_parts_have_a_weight():
    logits, target = torch.randn(3, 1, 8, 8), (torch.rand(3, 1, 8, 8) > 0.5).float()
    bce = F.binary_cross_entropy_with_logits(logits, target)
    dice = BCEDiceLoss()(logits, target) - bce
    found = BCEDiceLoss(bce_weight=0.75, dice_weight=0.25)(logits, target)
    torch.testing.assert_close(found, 0.75 * bce + 0.25 * dice)


def test_no_logits_get_below_the_lower_bound():
    loss, target = BCEDiceLoss(bce_weight=2.0, dice_weight=0.0), torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(loss(torch.logit(target), target), loss.lower_bound(target))
    assert loss(torch.randn(1, 1, 8, 8), target) > loss.lower_bound(target)


@pytest.mark.parametrize('wrong', [dict(bce_weight=-1), dict(bce_weight=0, dice_weight=0)])
def test_weights_that_teach_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match='bce_weight'):
        BCEDiceLoss(**wrong)


@pytest.mark.parametrize('loss', [DiceLoss(), BCEDiceLoss()])
def test_ignored_pixels_do_not_pull(loss):
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)
    target = torch.ones(2, 1, 4, 4)
    target[..., 2:] = -1
    value = loss(logits, target)
    torch.testing.assert_close(value, loss(logits[..., :2], target[..., :2]))
    value.backward()
    assert (logits.grad[..., 2:] == 0).all() and (logits.grad[..., :2] != 0).all()
