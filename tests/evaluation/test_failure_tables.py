"""Tables of failures put each slice where it belongs."""

import pytest

from xaicovid_mm.evaluation.failure_tables import (
    failure_tables,
    typical_slices,
    worst_cases,
    worst_slices,
)


def rows(count=12, slices=3):
    """Patients of two sites with slices of growing lesions, of which the smallest is missed."""
    infection, diagnosis = [], []
    for k in range(count):
        for n in range(slices):
            ids = dict(sample_id=f'c{k}/{n}', case=f'c{k}', patient=f'p{k}', site=f's{k % 2}')
            tp, fn = (10 * n, 0) if n else (0, 5)
            infection.append(
                ids
                | dict(tp=tp, fp=k if n == 1 else 0, fn=fn, nsd='', hd95_mm='')
                | dict(prob_sum=tp, prob_in_mask=tp)
            )
            probs = {'prob_NP': 0.1, 'prob_CAP': 0.2, 'prob_COVID-19': 0.7}
            diagnosis.append(ids | dict(label=2 if k else 0) | probs)
    return infection, diagnosis


def test_a_table_has_a_line_for_each_site_with_the_patients_that_it_rests_on():
    by_site = failure_tables(*rows())['site']
    assert list(by_site) == ['s0', 's1']
    accuracy = by_site['s0']['cls/accuracy_slice']
    assert (accuracy['value'], accuracy['patients']) == (pytest.approx(5 / 6), 6)
    assert accuracy['low'] < 5 / 6 < accuracy['high']


def test_small_lesions_are_told_from_large_ones():
    groups = failure_tables(*rows())['lesion in pixels']
    dice = [g['seg/dice_infected_slice_mean']['value'] for g in groups.values()]
    assert list(groups) == [
        'lowest third: 5 to 5',
        'middle third: 10 to 10',
        'highest third: 20 to 20',
    ]
    assert dice[0] == 0 and dice[2] == 1 and 0.6 < dice[1] < 1


def test_the_position_goes_from_the_first_slice_to_the_last():
    tables = failure_tables(*rows(slices=2))
    groups = tables['position from the first slice (0) to the last (1)']
    assert [name.split(':')[1] for name in groups] == [' 0 to 0', ' 1 to 1']
    assert 'lung in pixels' not in tables  # without a store


def test_numbers_that_are_all_alike_are_one_group():
    """Lesions of slice 0 alone: 5 pixels in every case."""
    assert list(failure_tables(*rows(slices=1))['lesion in pixels']) == ['all: 5 to 5']


def test_a_table_without_any_slice_is_left_out():
    tables = failure_tables(*rows()[:1], [])
    assert 'class' not in tables and 'site' in tables


def test_the_worst_case_comes_first():
    """c0 is of another class, c11 has most false pixels."""
    worst = worst_cases(*rows(), 2)
    assert [w['case'] for w in worst] == ['c0', 'c11']
    assert worst[0]['wrong_class'] == 1
    assert worst[1]['dice'] == pytest.approx(2 * 30 / (2 * 30 + 11 + 5))


def test_the_worst_slices_are_of_different_cases():
    chosen = worst_slices(rows()[0], 3)
    assert len({name.split('/')[0] for name in chosen}) == 3
    assert all(name.endswith('/0') for name in chosen)


def test_a_figure_shows_slices_from_the_best_to_the_worst():
    infection, _ = rows(count=8, slices=3)
    for k, row in enumerate(infection):  # the first has Dice 1, each next one less
        row.update(tp=24 - k, fp=0, fn=k)
    order = [row['sample_id'] for row in infection]
    shown = typical_slices(infection, 4)
    assert (shown[0], shown[-1]) == (order[0], order[-1])
    assert shown == sorted(shown, key=order.index)
    assert len({name.split('/')[0] for name in shown}) == 4  # a patient each
    assert typical_slices(infection, 1) == [order[11]]
    assert len(typical_slices(infection, 100)) == 24


def test_where_nothing_is_infected_there_is_nothing_to_show():
    infection, _ = rows(count=2)
    for row in infection:
        row.update(tp=0, fn=0)
    assert typical_slices(infection, 4) == []
