"""Intervals by drawing patients."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

Score = Callable[[np.ndarray], dict[str, float]]


def bootstrap_intervals(
    patients: Sequence[Hashable],
    score: Score,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of scores, with whole patients drawn with replacement.

    Slices of a patient are alike, so drawing slices would make every interval too narrow.

    Args:
        patients: The patient of each slice.
        score: Maps slice positions to scores by name.
        resamples: How often patients are drawn.
        level: Of the interval.
        seed: Of the draws.

    Returns:
        Name to (low, high); None for a single patient, of whom nothing can be said.
    """
    groups = _rows_by_patient(patients)
    names = list(score(np.arange(len(patients))))
    if len(groups) < 2:
        return dict.fromkeys(names)
    rng = np.random.default_rng(seed)
    draws = [
        score(np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]))
        for _ in range(resamples)
    ]
    return {name: _interval([d[name] for d in draws if name in d], level) for name in names}


def paired_difference(
    patients: Sequence[Hashable],
    score_a: Score,
    score_b: Score,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Intervals of score_a - score_b on the same slices, as ``bootstrap_intervals`` makes them."""

    def difference(rows: np.ndarray) -> dict[str, float]:
        a, b = score_a(rows), score_b(rows)
        return {name: a[name] - b[name] for name in a if name in b}

    return bootstrap_intervals(patients, difference, resamples, level, seed)


def _rows_by_patient(patients: Sequence[Hashable]) -> list[np.ndarray]:
    names = np.array([str(patient) for patient in patients])
    return [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]


def _interval(values: list[float], level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
