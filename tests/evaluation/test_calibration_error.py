"""The gaps between what is said and how often it is so."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from xaicovid_mm.evaluation.calibration_error import expected_calibration_error, reliability


def test_two_bins_by_hand():
    probs = np.repeat([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.45, 0.55]], 5, axis=0)
    labels = np.repeat([0, 1, 1, 1], 5)
    low, high = reliability(probs, labels, bins=4)
    assert low == pytest.approx((np.mean([0.7, 0.6, 0.55]), 2 / 3, 15))
    assert high == pytest.approx((0.9, 1.0, 5))
    error = (3 * abs(np.mean([0.7, 0.6, 0.55]) - 2 / 3) + 1 * 0.1) / 4
    assert expected_calibration_error(probs, labels, bins=4) == pytest.approx(error)
    assert expected_calibration_error(probs[1:], labels[1:], bins=4) is None  # 19 in two bins


def test_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    probs, labels = rng.dirichlet([1, 1, 1], 500), rng.integers(0, 3, 500)
    right = probs.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, probs.max(1), n_bins=10)
    ours = reliability(probs, labels, bins=10)
    assert [b.accuracy for b in ours] == pytest.approx(accuracy)
    assert [b.confidence for b in ours] == pytest.approx(confidence)
