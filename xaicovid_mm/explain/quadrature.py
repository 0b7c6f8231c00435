"""Positions and weights of the steps of Eq. (7)."""

import numpy as np

Path = list[tuple[float, float]]

REFERENCE_STEPS = 50
"""Steps of the printed sum that the 'log' rule approximates."""

_OFFSETS = {'right': 1.0, 'middle': 0.5, 'left': 0.0}


def path_rule(rule: str, steps: int) -> Path:
    """Return the steps of a rule as pairs (position in [0, 1] on the path, weight).

    Args:
        rule: 'right' is Eq. (7) as printed. 'left' and 'middle' are the other Riemann sums, 'gauss'
            is Gauss-Legendre. 'log' approximates the printed sum of ``REFERENCE_STEPS`` with few
            steps, see ``_log_gauss``. Only 'right' is in the paper.
        steps: t, at least 1; for 'log' below ``REFERENCE_STEPS``.

    Raises:
        ValueError: For ``steps`` out of range or another ``rule``.
    """
    if steps < 1:
        raise ValueError(f'steps={steps}: integrated gradients need at least 1')
    if rule == 'gauss':
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return list(zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))
    if rule == 'log':
        return _log_gauss(steps)
    if rule not in _OFFSETS:
        raise ValueError(f'rule={rule!r}: choose one of {sorted([*_OFFSETS, "gauss", "log"])}')
    return [((g + _OFFSETS[rule]) / steps, 1 / steps) for g in range(steps)]


def _log_gauss(steps: int) -> Path:
    """Gauss rule for the printed sum, in the logarithm of the position; not in the paper.

    Through instance norm the gradient grows as 1/position, so most of the sum comes from near the
    baseline. The function position x gradient varies slowly with u = log(position). The printed
    sum integrates that function over the masses 1/g at u = log(g/t). Its Gauss rule is exact where
    the function is a polynomial in u of degree below 2 x ``steps`` (Golub and Welsch, 1969).
    """
    if steps >= REFERENCE_STEPS:
        raise ValueError(f"steps={steps}: from {REFERENCE_STEPS} on take rule='right' itself")
    g = np.arange(1, REFERENCE_STEPS + 1)
    u, mass = np.log(g / REFERENCE_STEPS), 1 / g
    diagonal, squares = np.zeros(steps), np.zeros(steps)
    before, now, size_before = np.zeros_like(u), np.ones_like(u), 1.0
    for i in range(steps):  # three-term recurrence of the polynomials orthogonal under the masses
        size = (mass * now**2).sum()
        diagonal[i] = (mass * u * now**2).sum() / size
        squares[i] = size / size_before if i else 0.0
        before, now = now, (u - diagonal[i]) * now - squares[i] * before
        size_before = size
    off = np.diag(np.sqrt(squares[1:]), 1)
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + off + off.T)
    positions = np.exp(nodes)
    weights = mass.sum() * vectors[0] ** 2 * positions
    return list(zip(positions.tolist(), weights.tolist(), strict=True))
