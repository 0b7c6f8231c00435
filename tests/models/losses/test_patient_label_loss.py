"""The loss of slices of which the patient's class alone is known."""

import math

import pytest
import torch

from xaicovid_mm.models.losses import patient_label_loss


def test_a_slice_shows_its_patients_class_or_nothing():
    logits = torch.tensor([[0.2, 0.3, 0.5]]).log()
    assert patient_label_loss(logits, torch.tensor([2])).item() == pytest.approx(-math.log(0.7))
    assert patient_label_loss(logits, torch.tensor([0])).item() == pytest.approx(-math.log(0.2))
    both = patient_label_loss(logits.repeat(2, 1), torch.tensor([2, 1])).item()
    assert both == pytest.approx(-(math.log(0.7) + math.log(0.5)) / 2)


def test_a_slice_that_is_surely_nothing_is_not_pulled_to_its_patients_class():
    logits = torch.tensor([[9.0, 0.0, 0.0]], requires_grad=True)
    patient_label_loss(logits, torch.tensor([2])).backward()
    assert logits.grad.abs().max() < 1e-3
