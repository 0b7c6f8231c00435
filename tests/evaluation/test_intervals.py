"""Intervals say how much other patients and other seeds would have changed a score."""

import coverage as simulated
import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test, t, ttest_rel

from xaicovid_mm.evaluation.intervals import (
    difference_intervals,
    mean_interval,
    score_intervals,
    smallest_group,
)
from xaicovid_mm.evaluation.segmentation_scores import SegmentationScores

RNG = np.random.default_rng(0)


def mean_of(values):
    return lambda weights: {'mean': float(np.average(values, weights=weights))}


def one_group(patients):
    return {'mean': np.zeros(patients, int)}


def difference(a, b):
    """Of two systems with a row of values per seed."""
    patients = len(a[0])
    systems = ([mean_of(row) for row in values] for values in (a, b))
    return difference_intervals(*systems, patients, one_group(patients))['mean']


@pytest.mark.parametrize(
    'name, patients',
    [('Dice, mean 0.75', 6), ('Dice, 40 % are 0', 20), ('slice mean, 40 % are 1', 10)],
)
def test_95_of_100_intervals_hold_the_truth(name, patients):
    """200 draws: a share of 0.95 is measured within 0.04."""
    assert 0.91 < simulated.covers(simulated.MEANS[name], patients, draws=200) < 0.99


def test_an_interval_over_seeds_holds_the_truth_of_other_seeds():
    assert 0.91 < simulated.covers_seeds(12, 3, draws=200) < 0.99


def test_a_difference_of_nothing_is_found_as_rarely_as_its_level_says():
    """p up to 0.05 in 5 % of 200 draws, within 0.03; and the interval holds nothing as often."""
    held, found = simulated.differences_hold(8, draws=200, gain=0)
    assert held > 0.91 and found < 0.09


def test_fewer_than_six_patients_have_no_interval():
    values = RNG.random(6)
    assert mean_interval(values[:5]) == (None, None, 5)
    low, high, patients = mean_interval(values)
    assert low < values.mean() < high and patients == 6
    assert mean_interval(values[:1]) == (None, None, 1)


def test_only_patients_with_infection_count_for_a_score_of_infection():
    """Thirty healthy patients who were left alone say nothing of how infection is outlined."""
    tp = RNG.integers(1, 100, 8)
    infected = np.stack([tp, 100 - tp, 100 - tp], axis=1)
    counts = np.vstack([infected, np.zeros((30, 3))])
    name, group = 'dice_infected_patient_mean', np.repeat([0, -1], [8, 30])
    score = SegmentationScores(counts, range(38), range(38))
    found = score_intervals([score], 38, {name: group})[name]
    alone = mean_interval(tp / 100)  # Dice of each
    assert found == pytest.approx(alone) and found.patients == 8


def test_a_share_of_patients_has_wilsons_interval():
    """Of 0 or 1 a patient; Wilson as scipy has it takes the normal quantile, ours that of t."""
    values = np.repeat([1.0, 0.0], [320, 80])
    found = mean_interval(values)
    wilson = binomtest(320, 400).proportion_ci(method='wilson')
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=3e-4)


def test_a_patient_who_decides_a_pooled_score_alone_makes_its_variance_unsure():
    """Nine of 0 and one of 1: excess kurtosis 10, so 2 / (2 / 9 + 10 / 10) degrees of freedom.

    The variance of the mean is 0.01, worth 0.1 x 0.9 / 0.01 = 9 patients. Other scores keep 9.
    """
    values = np.r_[np.zeros(9), 1.0]
    score = [lambda weights: dict.fromkeys(groups, float(np.average(values, weights=weights)))]
    groups = {name: np.zeros(10, int) for name in ('dice_global', 'dice_patient_mean')}
    found = score_intervals(score, 10, groups)
    for name, freedom in (('dice_global', 2 / (2 / 9 + 1)), ('dice_patient_mean', 9)):
        q = t(freedom).ppf(0.975)
        centre, reach = 0.1 + q**2 / 18, q * np.sqrt(0.09 / 9 + q**2 / (4 * 81))
        ends = (centre - reach) / (1 + q**2 / 9), (centre + reach) / (1 + q**2 / 9)
        assert found[name][:2] == pytest.approx(ends)


def test_pooled_counts_hold_the_truth_though_few_patients_decide_them():
    """400 draws: with n - 1 degrees of freedom 0.903 hold, see docs/explanation/statistics.md."""
    held = simulated.covers(simulated.pooled_dice, 6, name=simulated.POOLED, draws=400)
    assert held > 0.91


def test_the_area_under_risk_by_coverage_has_the_interval_of_scores_that_few_decide():
    """With n - 1 degrees of freedom 90 of 100 hold at 6 patients."""
    values = np.r_[np.full(11, 0.1), 0.9]

    def found(name):
        score = [lambda weights: {name: float(np.average(values, weights=weights))}]
        return score_intervals(score, 12, {name: np.zeros(12, int)})[name]

    assert found('aurc') == found('dice_global') != found('mean')
    make = simulated.AREAS['AURC, missed mask']
    assert simulated.covers(make, 6, name='aurc', draws=200) > 0.91


def test_patients_who_are_all_right_do_not_make_a_score_certain():
    """Wilson for 8 of 8: n / (n + t ** 2), with t = 2.3646 of 7 degrees of freedom."""
    assert mean_interval(np.ones(8)) == pytest.approx((8 / (8 + 2.3646**2), 1, 8), abs=1e-4)


def test_ends_stay_in_the_range_of_the_score():
    low, high, _ = mean_interval(np.r_[np.ones(9), 0.1])
    assert 0 <= low < 0.91 < high <= 1
    distances = {'x_mm_': np.zeros(8, int)}
    values = np.r_[np.ones(7), 40.0]
    score = [lambda weights: {'x_mm_': float(np.average(values, weights=weights))}]
    assert score_intervals(score, 8, distances)['x_mm_'].low > 0


def test_a_score_of_classes_rests_on_the_smallest_class():
    groups = np.repeat([0, 1, -1], [9, 6, 3])
    assert smallest_group(groups) == 6 and smallest_group(np.full(3, -1)) == 0
    assert smallest_group(np.repeat([0, 2], [5, 7])) == 5  # no patient of group 1


def test_variances_of_classes_are_added():
    """The mean of two class means: half of each, so a quarter of each variance."""
    values, group = RNG.normal(0.5, 0.05, 20), np.repeat([0, 1], [8, 12])

    def score(weights):
        means = [np.average(values[group == k], weights=weights[group == k]) for k in (0, 1)]
        return {'mean': float(np.mean(means))}

    variance = sum(values[group == k].var(ddof=1) / (group == k).sum() / 4 for k in (0, 1))
    low, high, patients = score_intervals([score], 20, {'mean': group})['mean']
    assert patients == 8
    assert (high - low) / 2 == pytest.approx(2.11 * variance**0.5, rel=0.03)  # t of about 17


def test_seeds_that_differ_widen_the_interval_and_equal_ones_do_not():
    values = RNG.random(12) / 2
    groups = one_group(12)

    def found(shifts):
        return score_intervals([mean_of(values + s) for s in shifts], 12, groups)['mean']

    assert found([0.2, 0.2, 0.2]) == pytest.approx(found([0.2]))
    apart, alone = found([0, 0.2, 0.4]), found([0.2])
    assert apart.high - apart.low > 1.5 * (alone.high - alone.low)


def test_a_paired_difference_knows_that_patients_are_the_same():
    """Of means over patients it is the paired t interval."""
    a, b = RNG.random((2, 15))
    value, interval, _ = difference([a], [b])
    theirs = ttest_rel(a, b).confidence_interval()
    assert value == pytest.approx((a - b).mean())
    assert interval[:2] == pytest.approx((theirs.low, theirs.high))


def test_p_is_that_of_the_sign_flip_test():
    a, b = RNG.random((2, 8)) + [[0.3], [0]]
    theirs = permutation_test((a, b), lambda x, y: np.mean(x - y), permutation_type='samples')
    assert difference([a], [b])[2] == pytest.approx(theirs.pvalue)  # both try all 2 ** 8


def test_nothing_is_said_where_no_patient_differs():
    values = RNG.random(9)
    assert difference([values], [values]) == (0, (None, None, 9), None)


def test_patients_who_all_differ_by_the_same_have_a_p_value_and_no_interval():
    """10 of 10 with the same sign: 2 of 2 ** 10 choices of signs are as far from 0."""
    value, interval, p_value = difference([np.ones(10)], [np.zeros(10)])
    assert (value, interval) == (1, (None, None, 10)) and p_value == pytest.approx(2 / 2**10)
    assert difference([np.ones(5)], [np.zeros(5)]) == (1, (None, None, 5), None)  # too few


def test_a_difference_of_scores_in_0_to_1_ends_at_1_and_one_in_mm_does_not():
    """Student's t of 9 degrees of freedom is 2.262: 0.9999 +- 2.262 x 0.0001."""
    values = np.r_[0.999, np.ones(9)]
    value, interval, _ = difference([values], [np.zeros(10)])
    assert interval[:2] == (pytest.approx(0.9999 - 0.000226, abs=1e-6), 1) and value < 1

    def mean(values):
        return [lambda weights: {'x_mm_': float(np.average(values, weights=weights))}]

    groups = {'x_mm_': np.zeros(10, int)}
    far = difference_intervals(mean(values * 50), mean(np.zeros(10)), 10, groups)['x_mm_'][1]
    assert far.high == pytest.approx(50 * (0.9999 + 0.000226), abs=1e-3)


def test_systems_with_other_numbers_of_seeds_are_compared():
    values = RNG.random(10)
    noise = 0.01 * RNG.normal(size=10)
    value, few, _ = difference([values + 0.1, values + 0.2, values + 0.3], [values + noise])
    assert value == pytest.approx(0.2 - noise.mean()) and few.low < value < few.high
    assert few.high - few.low > 0.2  # that of the seeds
