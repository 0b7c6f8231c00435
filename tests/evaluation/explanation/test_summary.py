"""Averages of explanation scores over slices and patients."""

import numpy as np
import pytest
from scipy import stats

from xaicovid_mm.evaluation.explanation.summary import explanation_table
from xaicovid_mm.evaluation.intervals import mean_interval


def row(patient, number, status='ok', name='caam', **scores):
    ids = dict(sample_id=f'{patient}/{number}', case=patient, patient=patient, site='s')
    return ids | dict(explained_class=2, map=name, status=status) | scores


def test_patients_count_alike_however_many_slices_they_have():
    rows = [row('a', 0, auc=1.0), row('b', 0, auc=0.2), row('b', 1, auc=0.4), row('b', 2)]
    table = explanation_table(rows)
    assert table['caam/auc_patient_mean'] == pytest.approx(
        dict(value=0.65, low=None, high=None, patients=2, slices=3)  # few for an interval
    )
    assert table['caam/auc_slice_mean']['value'] == pytest.approx(1.6 / 3)


def test_the_interval_is_that_of_the_patients_who_have_the_score():
    values = np.linspace(0.5, 0.9, 8)
    rows = [row(f'p{i}', 0, auc=v, flip_rank_correlation=v) for i, v in enumerate(values)]
    rows += [row(f'p{i}', 0, name='other', auc=0.5) for i in range(5)]
    table = explanation_table(rows)
    wanted = mean_interval(values)
    found = table['caam/auc_patient_mean']
    assert (found['low'], found['high']) == pytest.approx((wanted.low, wanted.high))
    signed = table['caam/flip_rank_correlation_patient_mean']
    assert -1 <= signed['low'] < signed['value'] < signed['high'] <= 1
    few = table['other/auc_patient_mean']
    assert few['low'] is None and few['patients'] == 5


def test_a_score_without_an_upper_end_has_students_interval():
    values = np.array([1.0, 4.0, 2.0, 8.0, 3.0, 6.0])
    rows = [row(f'p{i}', 0, infidelity=v) for i, v in enumerate(values)]
    found = explanation_table(rows)['caam/infidelity_patient_mean']
    wanted = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    assert (found['low'], found['high']) == pytest.approx(wanted)


def test_a_score_that_no_row_has_is_left_out():
    table = explanation_table([row('a', 0, auc=1.0), row('b', 0, name='other')])
    assert not any(name.startswith('other/auc') for name in table)


def test_the_share_of_faulty_maps_is_told():
    rows = [row('a', 0, status='flat'), row('a', 1), row('b', 0, status='not_finite'), row('b', 1)]
    assert explanation_table(rows)['caam/faulty_slice_share']['value'] == 0.5


def test_without_rows_there_is_no_table():
    assert explanation_table([]) == {}
