"""Confidence against being right."""

import json
import re

import numpy as np
import pytest
import torch

from xaicovid_mm.classes import CLASSES
from xaicovid_mm.evaluation.aggregation import aggregate
from xaicovid_mm.evaluation.calibration_error import expected_calibration_error
from xaicovid_mm.evaluation.calibration_report import calibration_report
from xaicovid_mm.evaluation.temperature_scaling import (
    RANGE,
    apply_temperature,
    fit_temperature,
    left_out_probs,
    patient_fit,
)


def drawn(temperature, count=4000, seed=0):
    """Probabilities that are too sure by a factor, and classes drawn from the honest ones."""
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet([1, 1, 1], count)
    labels = np.array([rng.choice(3, p=p) for p in honest])
    return apply_temperature(honest, 1 / temperature), labels


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


def test_a_model_that_is_always_right_or_always_wrong_ends_at_the_bound():
    probs = np.full((9, 3), 0.1)
    probs[:, 0] = 0.8
    assert fit_temperature(probs, np.zeros(9, int)) == pytest.approx(RANGE[0], rel=0.01)
    assert fit_temperature(probs, np.ones(9, int)) == pytest.approx(RANGE[1], rel=0.01)


def test_a_fit_to_enough_patients_is_taken():
    probs, labels = drawn(2.0, 300)
    fit = patient_fit(probs, labels, np.arange(300) // 5)
    assert fit == (fit_temperature(probs, labels), '')


def always_right():
    labels = np.arange(30) % 3
    return 0.7 * np.eye(3)[labels] + 0.1, labels, np.arange(30)


def one_class():
    probs, labels = drawn(1.0, 400)
    return probs[labels == 2], labels[labels == 2], np.arange((labels == 2).sum())


def few():
    return *drawn(1.0, 400), np.arange(400) % 9


def one_of_another_class():
    probs, labels, patients = one_class()
    labels[0] = 0
    return probs, labels, patients


UNFIT = {
    'all right': (always_right, r'beyond 0.25, the end of the range \(0 of 30 are wrong\)'),
    'all wrong': (lambda: (1 - always_right()[0], *always_right()[1:]), '30 of 30 are wrong'),
    'one class': (one_class, r'0, 0, \d+ patients by class, two classes'),
    'one of another class': (one_of_another_class, r'1, 0, \d+ patients by class'),
    'few patients': (few, '9 patients, at least 10'),
}


@pytest.mark.parametrize('make, said', UNFIT.values(), ids=UNFIT)
def test_patients_who_can_tell_no_temperature_are_refused_with_the_reason(make, said):
    fit = patient_fit(*make())
    assert fit.temperature == 1 and re.search(said, fit.reason)


def test_each_patient_is_scaled_by_what_the_others_say():
    probs, labels = drawn(2.0, 60)
    owner = np.arange(60) // 6
    scaled = left_out_probs(probs, labels, owner)
    for patient in (0, 9):
        mine = owner == patient
        temperature = fit_temperature(probs[~mine], labels[~mine])
        assert scaled[mine] == pytest.approx(apply_temperature(probs[mine], temperature))
    assert left_out_probs(probs, labels, np.zeros(60)) == pytest.approx(probs)


def rows_of(probs, labels, patients):
    return [
        dict(zip((f'prob_{name}' for name in CLASSES), row, strict=True), label=k, patient=f'p{p}')
        for row, k, p in zip(probs, labels, patients, strict=True)
    ]


def test_the_report_fits_patients_by_their_aggregated_probabilities():
    patients, patient_labels = drawn(0.5, 40)
    rng = np.random.default_rng(1)
    noisy = np.repeat(patients, 6, 0) * rng.uniform(0.8, 1.25, (240, 3))
    slices, owner = noisy / noisy.sum(1, keepdims=True), np.repeat(np.arange(40), 6)
    report = calibration_report(rows_of(slices, patient_labels[owner], owner), 'top_k')
    together = np.array([aggregate(slices[owner == p], 'top_k') for p in range(40)])
    assert report['patient_temperature'] == pytest.approx(fit_temperature(together, patient_labels))
    assert report['temperature'] == pytest.approx(fit_temperature(slices, patient_labels[owner]))
    assert report['calibrated'] and report['reason'] == ''
    left_out = left_out_probs(together, patient_labels, range(40))
    assert report['patients']['top_k']['ece_after'] == pytest.approx(
        expected_calibration_error(left_out, patient_labels)
    )


def test_patients_who_may_choose_nothing_choose_no_temperature():
    probs, labels = drawn(0.5, 60)
    rows = rows_of(probs, labels, np.arange(60))
    assert calibration_report(rows)['calibrated']
    report = calibration_report(rows, no_fit='they are a test')
    assert not report['calibrated'] and report['reason'] == 'they are a test'
    assert report['temperature'] == report['patient_temperature'] == 1
    assert report['slices']['ece_after'] is report['patients']['mean']['ece_after'] is None


def test_one_patient_has_no_others_to_fit_a_temperature_on():
    probs, labels = drawn(0.5, 30)
    report = calibration_report(rows_of(probs, np.zeros(30, int), np.zeros(30)))
    assert report['slices']['ece_after'] is None and report['slices']['ace_after'] is None


def test_the_report_of_a_flawless_validation_set_calls_nothing_calibrated():
    report = calibration_report(rows_of(*always_right()))
    assert not report['calibrated'] and '0 of 30 are wrong' in report['reason']
    assert report['temperature'] == report['patient_temperature'] == 1
    json.dumps(report, allow_nan=False)


def test_a_report_on_nothing_is_refused():
    with pytest.raises(ValueError, match='no slice with a known class'):
        calibration_report([])


def test_probabilities_that_are_no_numbers_are_refused_with_their_count():
    probs, labels = drawn(1.0, 12)
    probs[[3, 7], 0] = np.nan
    with pytest.raises(ValueError, match='2 of 12 rows of class probabilities are not finite'):
        patient_fit(probs, labels, np.arange(12))
    with pytest.raises(ValueError, match='not finite'):
        apply_temperature(probs, 2.0)


def test_nothing_to_fit_and_no_temperature_are_refused():
    with pytest.raises(ValueError, match='no item'):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ValueError, match='temperature=0'):
        apply_temperature(np.ones((1, 3)) / 3, 0)
