"""Intervals by drawing patients."""

from collections.abc import Callable, Sequence

import numpy as np

Score = Callable[[np.ndarray], dict[str, float]]
"""Maps weights (P,), how often each patient counts, to scores by name."""


def bootstrap_intervals(
    patients: int, score: Score, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of scores, with whole patients drawn with replacement.

    Slices of a patient are alike, so drawing slices would make every interval too narrow. A patient
    drawn twice counts twice. A draw in which a score is not defined (no infected slice in it, say)
    is left out of the interval of that score.

    Args:
        patients: How many there are, P.
        score: What is wanted, for given weights of the patients.
        resamples: How often P patients are drawn.
        level: Of the interval.
        seed: Of the draws.

    Returns:
        Name to (low, high); None for a score that rests on a single patient, since it is not
        defined without that one: of how others would differ nothing can be said.
    """
    names = list(score(np.ones(patients)))
    if patients < 2:
        return dict.fromkeys(names)
    without_each = [set(score(weights)) for weights in 1 - np.eye(patients)]
    certain = set(names).intersection(*without_each)
    draws = np.random.default_rng(seed).multinomial(
        patients, np.full(patients, 1 / patients), size=resamples
    )
    found = [score(weights.astype(float)) for weights in draws]
    return {
        name: _interval([f[name] for f in found if name in f], level) if name in certain else None
        for name in names
    }


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean of scores, of several seeds say; one that any of them lacks is left out."""

    def mean(weights: np.ndarray) -> dict[str, float]:
        found = [score(weights) for score in scores]
        shared = [name for name in found[0] if all(name in f for f in found)]
        return {name: float(np.mean([f[name] for f in found])) for name in shared}

    return mean


def paired_difference(score_a: Score, score_b: Score) -> Score:
    """The score a - b: both see the same draw of patients, whose difficulty thus cancels."""

    def difference(weights: np.ndarray) -> dict[str, float]:
        a, b = score_a(weights), score_b(weights)
        return {name: a[name] - b[name] for name in a if name in b}

    return difference


def _interval(values: list[float], level: float) -> tuple[float, float] | None:
    if not values:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
