"""Intervals say how much other patients would have changed a score."""

import numpy as np
import pytest

from xaicovid_mm.evaluation.bootstrap import (
    bootstrap_intervals,
    mean_score,
    paired_difference,
)
from xaicovid_mm.evaluation.segmentation_scores import SegmentationScores


def mean_of(values):
    return lambda weights: {'mean': float(np.average(values, weights=weights))}


def width(values):
    low, high = bootstrap_intervals(len(values), mean_of(values))['mean']
    return high - low


def test_an_interval_holds_the_value():
    values = np.random.default_rng(0).normal(size=12)
    low, high = bootstrap_intervals(12, mean_of(values))['mean']
    assert low < values.mean() < high


def test_the_same_seed_gives_the_same_interval_and_another_another():
    score = mean_of(np.random.default_rng(0).normal(size=12))
    one, same, other = (bootstrap_intervals(12, score, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_fewer_patients_are_less_certain():
    assert width(np.tile([1.0, -1.0], 2)) > 1.5 * width(np.tile([1.0, -1.0], 10))


def test_the_width_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=100)
    assert width(values) == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.08)


def test_a_patient_drawn_twice_counts_twice():
    """With one slice a patient every average over slices is one over patients."""
    tp = np.random.default_rng(0).integers(1, 100, 20)
    counts = np.stack([tp, 100 - tp, 100 - tp], axis=1)
    found = bootstrap_intervals(20, SegmentationScores(counts, range(20), range(20)))
    assert found['dice_patient_mean'] == found['dice_volume_mean'] == found['dice_slice_mean']


def test_nothing_is_said_of_a_single_patient():
    assert bootstrap_intervals(1, mean_of(np.array([0.5]))) == {'mean': None}


def test_a_draw_without_what_a_score_needs_is_left_out_of_its_interval():
    counts = np.array([[5, 5, 5], [5, 5, 5], [0, 0, 0]])
    score = SegmentationScores(counts, range(3), range(3))
    assert bootstrap_intervals(3, score)['dice_infected_slice_mean'] == (0.5, 0.5)


def test_a_score_that_rests_on_one_of_many_patients_has_no_interval():
    """One infected patient among three: drawing others says nothing of infected ones."""
    counts = np.array([[5, 5, 5], [0, 0, 0], [0, 1, 0]])
    found = bootstrap_intervals(3, SegmentationScores(counts, range(3), range(3)))
    assert found['dice_infected_patient_mean'] is None
    low, high = found['dice_patient_mean']
    assert low < 0.5 < high


def test_a_paired_difference_knows_that_patients_are_the_same():
    values = np.random.default_rng(0).normal(size=50)
    score = paired_difference(mean_of(values + 0.1), mean_of(values))
    assert bootstrap_intervals(50, score)['mean'] == pytest.approx((0.1, 0.1))


def test_seeds_are_drawn_with_the_patients():
    """Patients are alike, so the whole interval is that of the seeds: either one alone."""
    seeds = [mean_of(np.full(8, 0.2)), mean_of(np.full(8, 0.6))]
    found = bootstrap_intervals(8, mean_score(seeds), seeds=2)['mean']
    assert found == pytest.approx((0.2, 0.6))
    assert mean_score(seeds)(np.ones(10))['mean'] == pytest.approx(0.4)


def test_one_seed_adds_nothing_to_the_interval():
    values = np.random.default_rng(0).random(12)
    alone = bootstrap_intervals(12, mean_of(values))
    assert bootstrap_intervals(12, mean_score([mean_of(values)]), seeds=1)['mean'] == pytest.approx(
        alone['mean']
    )
