"""Where the steps of Eq. (7) lie."""

import numpy as np
import pytest

from xaicovid_mm.explain.quadrature import path_rule


def total(rule, steps, gradient):
    return sum(weight * gradient(position) for position, weight in path_rule(rule, steps))


@pytest.mark.parametrize('rule', ['right', 'left', 'middle', 'gauss'])
def test_the_weights_of_a_plain_rule_sum_to_one(rule):
    assert total(rule, 5, lambda a: 1.0) == pytest.approx(1)


def test_one_log_step_sums_a_gradient_of_one_over_position_as_the_printed_50():
    harmonic = sum(1 / g for g in range(1, 51))
    assert total('right', 50, lambda a: 1 / a) == pytest.approx(harmonic)
    assert total('log', 1, lambda a: 1 / a) == pytest.approx(harmonic)


@pytest.mark.parametrize('steps', [2, 3, 5])
def test_log_steps_are_exact_for_polynomials_of_the_logarithm(steps):
    for power in range(2 * steps):
        printed, few = (
            total(rule, t, lambda a, p=power: np.log(a) ** p / a)
            for rule, t in (('right', 50), ('log', steps))
        )
        assert few == pytest.approx(printed, rel=1e-9)


def test_three_log_steps_are_close_for_a_constant_gradient_too():
    assert total('log', 3, lambda a: 1.0) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize('rule, steps', [('right', 0), ('simpson', 3), ('log', 50)])
def test_nonsense_is_refused_with_its_value(rule, steps):
    with pytest.raises(ValueError, match='steps=0|simpson|steps=50'):
        path_rule(rule, steps)
