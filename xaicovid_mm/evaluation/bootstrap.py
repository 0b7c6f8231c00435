"""Bootstrap confidence intervals over patients and seeds."""

from collections.abc import Callable, Sequence

import numpy as np

Score = Callable[[np.ndarray], dict[str, float]]
"""Maps weights, how often each of P patients counts, (P,), to scores by name. The score of
``mean_score`` takes (P + S,): weights of patients, then of S seeds."""


def bootstrap_intervals(
    patients: int,
    score: Score,
    *,
    seeds: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Return percentile intervals of scores, drawing whole patients with replacement.

    Slices of one patient are alike, so drawing slices would make the intervals too narrow. A
    patient drawn twice counts twice. If a score is undefined in a draw (for example, no infected
    slice was drawn), that draw is left out of the interval of that score.

    Args:
        patients: Number of patients, P.
        score: Computes the scores for given weights of the patients, and of the seeds if any.
        seeds: Number of seeds S that ``score`` weighs; they are drawn with replacement as well.
        resamples: Number of draws of P patients.
        level: Coverage of the interval, in (0, 1).
        seed: Seed of the draws.

    Returns:
        Score name to (low, high). The interval is None if the score is undefined without one of
        the patients: such a score rests on a single patient and says nothing about others.
    """
    names = list(score(np.ones(patients + seeds)))
    if patients < 2:
        return dict.fromkeys(names)
    leave_one_out = [set(score(weights)) for weights in _without_each(patients, seeds)]
    always_defined = set(names).intersection(*leave_one_out)
    rng = np.random.default_rng(seed)
    draws = np.hstack([_draw(rng, number, resamples) for number in (patients, seeds) if number])
    drawn_scores = [score(weights.astype(float)) for weights in draws]
    return {
        name: _interval([scores[name] for scores in drawn_scores if name in scores], level)
        if name in always_defined
        else None
        for name in names
    }


def mean_score(scores: Sequence[Score]) -> Score:
    """Return the mean of the scores of S seeds, weighed by the last S weights.

    A name that one of the seeds that count does not give is left out.
    """

    def mean(weights: np.ndarray) -> dict[str, float]:
        of_patients, of_seeds = np.split(weights, [len(weights) - len(scores)])
        counted = of_seeds > 0
        results = [
            score(of_patients) for score, counts in zip(scores, counted, strict=True) if counts
        ]
        shared = [name for name in results[0] if all(name in result for result in results)]
        return {
            name: float(np.average([r[name] for r in results], weights=of_seeds[counted]))
            for name in shared
        }

    return mean


def paired_difference(score_a: Score, score_b: Score) -> Score:
    """Return the score a - b; both see the same draw of patients, so its difficulty cancels."""

    def difference(weights: np.ndarray) -> dict[str, float]:
        a, b = score_a(weights), score_b(weights)
        return {name: a[name] - b[name] for name in a if name in b}

    return difference


def _draw(rng: np.random.Generator, number: int, resamples: int) -> np.ndarray:
    return rng.multinomial(number, np.full(number, 1 / number), size=resamples)


def _without_each(patients: int, seeds: int) -> np.ndarray:
    """Weights (P, P + S) that leave out one patient each and no seed."""
    return np.hstack([1 - np.eye(patients), np.ones((patients, seeds))])


def _interval(values: list[float], level: float) -> tuple[float, float] | None:
    if not values:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
