"""What is told by counts is what numpy tells by the values."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.quality.value_counts import ValueCounts

RNG = np.random.default_rng(0)
SAMPLES = {
    'int16': RNG.normal(-300, 400, (5, 40, 41)).astype(np.int16),
    'uint16': RNG.integers(60000, 2**16, (5, 40, 41)).astype(np.uint16),
    'float': RNG.normal(0, 1, (5, 40, 41)),
    'a wide range': RNG.integers(-(10**9), 10**9, (5, 40, 41)),
    'one value': np.full((2, 3, 4), -7, np.int16),
}


@pytest.fixture(params=SAMPLES.values(), ids=SAMPLES.keys())
def values(request):
    return request.param


def test_levels_and_counts_are_those_of_unique(values):
    levels, counts = np.unique(values, return_counts=True)
    found = ValueCounts.of(values)
    assert found.levels.dtype == values.dtype and found.total == values.size
    np.testing.assert_array_equal(found.levels, levels)
    np.testing.assert_array_equal(found.counts, counts)


def test_percentiles_mean_and_deviation_are_those_of_numpy(values):
    found, percents = ValueCounts.of(values), (0, 0.1, 33, 50, 99.9, 100)
    assert found.percentiles(percents) == pytest.approx(np.percentile(values, percents), rel=1e-12)
    mean, deviation = found.mean_and_deviation()
    assert mean == pytest.approx(values.mean(dtype=float), rel=1e-9)
    assert deviation == pytest.approx(values.std(dtype=float), rel=1e-9)


@pytest.mark.parametrize('limits', [None, (-500.5, 200.25)])
def test_a_histogram_is_that_of_numpy(values, limits):
    counts, edges = np.histogram(values, 37, limits)
    found, its_edges = ValueCounts.of(values).histogram(37, limits)
    np.testing.assert_array_equal(found, counts)
    np.testing.assert_array_equal(its_edges, edges)


def test_shares_count_every_value(values):
    found, middle = ValueCounts.of(values), np.median(values)
    below = found.levels < middle
    assert found.share(below) == (values < middle).mean()
    assert found.where(below).total == (values < middle).sum()
