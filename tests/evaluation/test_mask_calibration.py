"""The probability of infection against how often pixels are infected."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve

from xaicovid_mm.evaluation.calibration_error import adaptive_calibration_error
from xaicovid_mm.evaluation.mask_calibration import COARSE, bins_text, mask_calibration

RNG = np.random.default_rng(0)


def row(prob, true, patient='p'):
    return dict(patient=patient, bins=bins_text(np.asarray(prob), np.asarray(true, bool)))


def test_a_slice_is_stored_by_the_intervals_that_it_has():
    cells = bins_text(np.array([0.0, 0.5, 0.51, 1.0]), np.array([False, True, False, True]))
    assert cells == '0:1:0:0.000 25:2:1:1.010 49:1:1:1.000'


def test_the_errors_of_two_patients_by_hand():
    """One is right, the other says 0.75 where half are infected; pooled the gaps add up."""
    right, wrong = row([0.05] * 20, [1] + [0] * 19, 'a'), row([0.75] * 4, [1, 1, 0, 0], 'b')
    found = mask_calibration([right, wrong])
    assert found['patient']['ece_before'] == pytest.approx(0.125)
    assert found['pooled']['ece_before'] == pytest.approx(1 / 24)
    assert found['slice'] == found['patient'] and found['number'] == 2
    assert found['reliability'] == [
        pytest.approx((0.05, 0.05, 20)),
        pytest.approx((0.75, 0.5, 4)),
    ]


def test_intervals_are_those_of_scikit_learn():
    prob = RNG.random(3000)
    true = RNG.random(3000) < prob**2
    found = mask_calibration([row(prob, true, 'a'), row(prob, true, 'b')])['reliability']
    share, said = calibration_curve(true, prob, n_bins=COARSE)
    assert [part[1] for part in found] == pytest.approx(share)
    assert [part[0] for part in found] == pytest.approx(said, abs=1e-4)


@pytest.mark.parametrize('temperature', [0.5, 3.0])
def test_a_temperature_repairs_masks_that_are_too_sure_or_too_unsure(temperature):
    rows = []
    for patient in 'abcd':
        honest = RNG.beta(0.5, 1, 4000)
        prob = expit(logit(honest) / temperature).clip(0, 1)
        rows.append(row(prob, RNG.random(4000) < honest, patient))
    found = mask_calibration(rows)
    assert found['temperature'] == pytest.approx(1 / temperature, rel=0.15)
    for kind in ('ece', 'ace'):
        before, after = (found['pooled'][f'{kind}_{when}'] for when in ('before', 'after'))
        assert after < 0.4 * before


def test_what_cannot_be_measured_is_none():
    assert mask_calibration([]) is None
    assert mask_calibration([dict(patient='a', tp='1')]) is None  # of an earlier version
    assert mask_calibration([row([0.5], [1])]) is None  # nobody to leave out


def test_slices_without_lungs_do_not_count_wherever_they_stand():
    rows = [row([0.9, 0.1], [1, 0]), row([0.6], [0], 'q')]
    empty = [row([], [], patient) for patient in ('p', 'r')]
    found = mask_calibration(rows)
    assert found['number'] == 2
    assert mask_calibration([*empty, *rows]) == mask_calibration([*rows, *empty]) == found
    assert mask_calibration(empty) is None


def test_the_adaptive_error_of_classes_by_hand():
    """Ten of 0.6 and 0.7 each, then of 0.8 and 0.9; 10 of 20 right, then 20 of 20.

    Gaps of two bins: 13 - 10 and 17 - 20, of 40 items.
    """
    confidence = np.repeat([0.6, 0.7, 0.8, 0.9], 10)
    probs = np.stack([confidence, 1 - confidence], axis=1)
    labels = np.r_[np.zeros(10), np.ones(10), np.zeros(20)].astype(int)
    assert adaptive_calibration_error(probs, labels, bins=2) == pytest.approx(6 / 40)
    most = adaptive_calibration_error(probs, labels)  # four bins: 4, 7, 2 and 1 wrong
    assert most == pytest.approx(14 / 40)
    assert adaptive_calibration_error(probs[:19], labels[:19]) is None  # less than two bins of 10


def test_the_adaptive_error_does_not_hang_on_the_order_of_items_that_are_equally_sure():
    """120 of 150 are right at a confidence of 0.8: that is perfect."""
    probs, labels = np.tile([0.8, 0.2], (150, 1)), np.repeat([1, 0], [30, 120])
    for order in (np.arange(150), np.arange(150)[::-1], np.random.default_rng(0).permutation(150)):
        assert adaptive_calibration_error(probs, labels[order]) == pytest.approx(0)
