"""A patient from slices."""

import numpy as np
import pytest

from xaicovid_mm.evaluation.aggregation import AGGREGATIONS, aggregate

SLICES = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6]])


@pytest.mark.parametrize(
    'how, expected',
    [
        ('mean', [0.5, 0.15, 0.35]),
        ('max', [0.8 / 1.6, 0.2 / 1.6, 0.6 / 1.6]),
        ('top_k', [0.8 / 1.6, 0.2 / 1.6, 0.6 / 1.6]),
        ('noisy_or', [0.84 / 1.76, 0.28 / 1.76, 0.64 / 1.76]),
    ],
)
def test_two_slices_by_hand(how, expected):
    assert aggregate(SLICES, how) == pytest.approx(expected)


def test_top_k_is_the_mean_of_a_tenth():
    probs = np.linspace(0, 1, 40)[:, None] * [1, 0] + [0, 0.5]
    top = aggregate(probs, 'top_k')
    assert top[0] / top[1] == pytest.approx(np.mean(np.linspace(0, 1, 40)[-4:]) / 0.5)


@pytest.mark.parametrize('how', AGGREGATIONS)
def test_probabilities_sum_to_one_and_the_order_of_slices_is_nothing(how):
    probs = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    found = aggregate(probs, how)
    assert found.sum() == pytest.approx(1)
    assert aggregate(probs[::-1], how) == pytest.approx(found)


@pytest.mark.parametrize(
    'probs, how, named', [(SLICES, 'median', 'median'), ([], 'mean', 'slices')]
)
def test_nonsense_is_refused(probs, how, named):
    with pytest.raises(ValueError, match=named):
        aggregate(probs, how)
