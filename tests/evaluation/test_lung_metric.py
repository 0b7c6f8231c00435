"""Scores of lungs."""

import csv

import pytest
import torch

from xaicovid_mm.evaluation.metrics import LungMetric


def sample(patient, number, found, site='s'):
    """A slice with 4 pixels of lung, of which ``found`` are found, and one pixel beside it."""
    lung, prob = torch.zeros(1, 4, 4, dtype=torch.bool), torch.zeros(1, 4, 4)
    lung[0, 0] = True
    prob[0, 0, :found] = 0.9
    prob[0, 2, 0] = 0.6
    who = dict(sample_id=f'{patient}/{number}', case=patient, patient=patient, site=site)
    return who | dict(lung=lung, lung_prob=prob)


def test_patients_count_alike_however_many_slices_they_have(tmp_path):
    metric = LungMetric(out_file=str(tmp_path / 'lung.csv'))
    metric.process({}, [sample('a', 0, 4), sample('b', 0, 2, 't'), sample('b', 1, 0, 't')])
    found = metric.evaluate(3)
    a, b = 2 * 4 / (8 + 1), 2 * 2 / (4 + 2 + 6)
    assert found['lung/dice_patient_mean'] == pytest.approx((a + b) / 2)
    assert found['lung/patients'] == 2 and 'lung/dice_patient_mean_low' not in found
    with open(tmp_path / 'lung.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [(r['tp'], r['fp'], r['fn']) for r in rows] == [
        ('4', '1', '0'),
        ('2', '1', '2'),
        ('0', '1', '4'),
    ]


def test_each_site_has_its_own_score_and_one_patient_has_no_interval():
    metric = LungMetric()
    metric.process({}, [sample('a', 0, 4), sample('b', 0, 2, 't')])
    found = metric.evaluate(2)
    assert found['lung/dice_patient_mean_s'] == pytest.approx(8 / 9)
    assert found['lung/dice_patient_mean_t'] == pytest.approx(4 / 7)
    assert found['lung/patients_t'] == 1 and 'lung/dice_patient_mean_t_low' not in found


def test_six_patients_have_an_interval():
    metric = LungMetric()
    metric.process(
        {},
        [sample(name, 0, found) for name, found in zip('abcdef', (4, 4, 3, 4, 2, 4), strict=True)],
    )
    found = metric.evaluate(6)
    low, high = (found[f'lung/dice_patient_mean_{end}'] for end in ('low', 'high'))
    assert 0 < low < found['lung/dice_patient_mean'] < high < 1


def test_a_slice_that_a_sampler_repeats_counts_once():
    metric = LungMetric()
    metric.process({}, [sample('a', 0, 4), sample('a', 0, 4), sample('a', 1, 0)])
    assert metric.evaluate(3)['lung/dice_patient_mean'] == pytest.approx(8 / (8 + 2 + 4))
