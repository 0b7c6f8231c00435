"""Confidence against being right."""

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from xaicovid_mm.evaluation.temperature_scaling import (
    RANGE,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability,
)


def drawn(temperature, count=4000, seed=0):
    """Probabilities that are too sure by a factor, and classes drawn from the honest ones."""
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet([1, 1, 1], count)
    labels = np.array([rng.choice(3, p=p) for p in honest])
    return apply_temperature(honest, 1 / temperature), labels


def test_two_bins_by_hand():
    probs = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.45, 0.55]])
    labels = np.array([0, 1, 1, 1])
    low, high = reliability(probs, labels, bins=4)
    assert low == pytest.approx((np.mean([0.7, 0.6, 0.55]), 2 / 3, 3))
    assert high == pytest.approx((0.9, 1.0, 1))
    error = (3 * abs(np.mean([0.7, 0.6, 0.55]) - 2 / 3) + 1 * 0.1) / 4
    assert expected_calibration_error(probs, labels, bins=4) == pytest.approx(error)


def test_bins_are_those_of_scikit_learn():
    probs, labels = drawn(2.0, 500)
    right = probs.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, probs.max(1), n_bins=10)
    ours = reliability(probs, labels, bins=10)
    assert [b.accuracy for b in ours] == pytest.approx(accuracy)
    assert [b.confidence for b in ours] == pytest.approx(confidence)


def test_a_temperature_divides_the_logits():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double()
    found = apply_temperature(logits.softmax(1).numpy(), 2.5)
    assert found == pytest.approx((logits / 2.5).softmax(1).numpy())


@pytest.mark.parametrize('temperature', [0.5, 1.0, 3.0])
def test_the_fit_finds_by_how_much_a_model_is_too_sure(temperature):
    probs, labels = drawn(temperature)
    fitted = fit_temperature(probs, labels)
    assert fitted == pytest.approx(temperature, rel=0.1)
    before = expected_calibration_error(probs, labels)
    after = expected_calibration_error(apply_temperature(probs, fitted), labels)
    assert after < 0.03 and (temperature == 1 or after < before / 2)


def test_a_model_that_is_always_right_and_sure_ends_at_the_bound():
    probs = np.full((9, 3), 1e-9)
    probs[:, 0] = 1
    assert RANGE[0] <= fit_temperature(probs, np.zeros(9, int)) < 0.1
    assert fit_temperature(probs, np.ones(9, int)) == pytest.approx(RANGE[1], rel=0.01)


def test_nothing_to_fit_and_no_temperature_are_refused():
    with pytest.raises(ValueError, match='no item'):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ValueError, match='temperature=0'):
        apply_temperature(np.ones((1, 3)) / 3, 0)
