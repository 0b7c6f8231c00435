"""A batch without a sample teaches nothing, and breaks nothing."""

import pytest
import torch

from xaicovid_mm.models.losses import BCEDiceLoss, CAMLoss, DiceLoss, WeightedBCELoss
from xaicovid_mm.models.losses import patient_label_loss as of_patients

NONE = torch.zeros(0, dtype=torch.long)
WEIGHTS = torch.ones(3, 2)
LOSSES = {
    'Dice': lambda x: DiceLoss()(x, x),
    'weighted BCE': lambda x: WeightedBCELoss()(x, x),
    'BCE and Dice': lambda x: BCEDiceLoss()(x, x),
    'CAM, mean': lambda x: CAMLoss()(x.expand(-1, 2, -1, -1), WEIGHTS, NONE),
    'CAM, sum': lambda x: CAMLoss(reduction='sum')(x.expand(-1, 2, -1, -1), WEIGHTS, NONE),
    'patient label': lambda x: of_patients(x.flatten(1)[:, :3], NONE),
}


@pytest.mark.parametrize('name', LOSSES)
def test_the_loss_of_no_sample_is_0_with_a_gradient(name):
    nothing = torch.zeros(0, 1, 4, 4, requires_grad=True)
    loss = LOSSES[name](nothing)
    loss.backward()
    assert loss.item() == 0 and nothing.grad.shape == nothing.shape
