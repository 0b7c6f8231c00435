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


def test_a_score_without_an_upper_end_has_students_interval_of_its_logarithm_above_0():
    values = np.array([1.0, 4.0, 2.0, 8.0, 3.0, 60.0])
    rows = [row(f'p{i}', 0, infidelity=v) for i, v in enumerate(values)]
    found = explanation_table(rows)['caam/infidelity_patient_mean']
    reach = np.exp(stats.t.ppf(0.975, 5) * stats.sem(values) / values.mean())
    wanted = values.mean() / reach, values.mean() * reach
    assert (found['low'], found['high']) == pytest.approx(wanted) and found['low'] > 0


def test_what_a_blank_map_has_by_definition_has_no_interval():
    scores = dict(infection_auc=0.5, cause_auc=0.5, infection_average_precision=0.2)
    rows = [row(f'p{i}', 0, name=name, **scores) for i in range(8) for name in ('blank', 'random')]
    table = explanation_table(rows)
    for average in ('patient', 'slice'):
        for target in ('infection', 'cause'):
            blank, other = (
                table[f'{name}/{target}_auc_{average}_mean'] for name in ('blank', 'random')
            )
            assert blank == dict(value=0.5, low=None, high=None, patients=8, slices=8)
            assert other['low'] < 0.5 < other['high']
    assert table['blank/infection_average_precision_patient_mean']['low'] < 0.2  # not a constant


def test_a_score_that_no_row_has_is_left_out():
    table = explanation_table([row('a', 0, auc=1.0), row('b', 0, name='other')])
    assert not any(name.startswith('other/auc') for name in table)


def test_the_share_of_faulty_maps_is_told():
    rows = [row('a', 0, status='flat'), row('a', 1), row('b', 0, status='not_finite'), row('b', 1)]
    assert explanation_table(rows)['caam/faulty_slice_share']['value'] == 0.5


def test_without_rows_there_is_no_table():
    assert explanation_table([]) == {}
