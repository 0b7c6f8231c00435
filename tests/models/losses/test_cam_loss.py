"""Eq. (4)."""

import pytest
import torch

from xaicovid_mm.models.losses import CAMLoss

FEATURES = torch.tensor([[[[1.0, 2], [4, 3]], [[0, 3], [1, 2.5]]]])  # 1 2 2 2
WEIGHTS = torch.tensor([[1.0, -1.0]])
LABEL = torch.tensor([0])


def test_cam_loss_of_a_two_by_two_map_is_17_over_32():
    assert CAMLoss()(FEATURES, WEIGHTS, LABEL).item() == pytest.approx(17 / 32)
    assert CAMLoss(reduction='sum')(FEATURES, WEIGHTS, LABEL).item() == pytest.approx(17 / 8)


def test_cam_loss_takes_the_weights_of_a_convolution_too():
    as_conv = WEIGHTS[:, :, None, None]
    assert CAMLoss()(FEATURES, as_conv, LABEL).item() == pytest.approx(17 / 32)


def test_cam_loss_ignores_the_scale_of_the_features():
    assert CAMLoss()(3 * FEATURES, WEIGHTS, LABEL).item() == pytest.approx(17 / 32)


SPARED = [
    [[0.0625, 0.06336806], [-0.06336806, -0.0625]],
    [[-0.0625, 0.04774306], [-0.04774306, 0.0625]],
]


SAME_PUSH = [[[0.0, 0.05555556], [-0.05555556, 0.0]]] * 2


@pytest.mark.parametrize(
    'detach, to_features, to_weights',
    [('weights', SPARED, None), ('all', SAME_PUSH, None), ('none', SPARED, [-0.140625, -0.140625])],
)
def test_what_is_detached_decides_which_channels_are_pushed(detach, to_features, to_weights):
    features, weights = FEATURES.clone().requires_grad_(), WEIGHTS.clone().requires_grad_()
    CAMLoss(detach)(features, weights, LABEL).backward()
    torch.testing.assert_close(features.grad[0], torch.tensor(to_features), atol=1e-6, rtol=0)
    if to_weights is None:
        assert weights.grad is None
    else:
        torch.testing.assert_close(weights.grad[0], torch.tensor(to_weights), atol=1e-6, rtol=0)


def test_a_flat_caam_costs_the_mean_of_the_cam_and_has_a_finite_gradient():
    features = torch.stack([FEATURES[0, 0], 5 - FEATURES[0, 0]])[None].requires_grad_()
    loss = CAMLoss()(features, torch.tensor([[1.0, 0.0]]), LABEL)
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert features.grad.isfinite().all()


def test_black_slices_give_a_cam_loss_of_zero_and_no_gradient():
    features = torch.zeros(2, 3, 4, 4, requires_grad=True)
    loss = CAMLoss()(features, torch.rand(3, 3), torch.tensor([0, 2]))
    loss.backward()
    assert loss.item() == 0 and not features.grad.any()


@pytest.mark.parametrize('wrong', [dict(detach='cam'), dict(reduction='max')])
def test_cam_loss_names_what_it_does_not_know(wrong):
    with pytest.raises(ValueError, match=str(*wrong.values())):
        CAMLoss(**wrong)
