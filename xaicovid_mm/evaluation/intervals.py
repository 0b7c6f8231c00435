"""95 % intervals of scores over patients and seeds, and p-values of differences.

Not in the paper. What they cover was simulated: see docs/explanation/statistics.md.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit
from scipy.stats import kurtosis, permutation_test

Score = Callable[[np.ndarray], dict[str, float]]
"""Maps weights (P,), how often each of P patients counts, to scores by name."""
Groups = Mapping[str, np.ndarray]
"""Name of a score to the group of each patient, int (P,): -1 where the score does not rest on the
patient. A score that sets classes against each other has a group per class, others have one."""
ENDLESS = ('_mm_', 'infidelity', 'sensitivity_max', 'completeness_gap')
"""Parts of the names of scores from 0 without an upper end; others lie in [0, 1]."""
HEAVY_TAILED = ('_global', 'aurc')
"""Parts of the names of scores that few patients can decide: pooled counts, risk by coverage."""
MIN_PATIENTS = 6
"""With fewer patients in a group there is no interval: none of the tried ones kept its level."""
PERMUTATIONS = 9999
"""Sign flips of a test; all 2 ** n are tried where there are no more than these."""


class Interval(NamedTuple):
    """What other patients and seeds of the same kind could have given.

    Attributes:
        low, high: Ends; None where there is no interval.
        patients: Patients that the score rests on, those of the smallest group.
    """

    low: float | None
    high: float | None
    patients: int


class Part(NamedTuple):
    """A part of the variance of a score, and its degrees of freedom."""

    variance: float
    freedom: float


def score_intervals(
    seeds: Sequence[Score], patients: int, groups: Groups, *, level: float = 0.95
) -> dict[str, Interval]:
    """Return the interval of the mean over seeds of every score.

    The variance over patients is that of the jackknife: each patient is left out once, with all of
    its slices, in each group for itself. That over seeds is added where it is more than patients
    and chance explain. One seed has none: then the interval is of that one training.

    Scores in [0, 1] have Wilson's interval with as many patients as the variance is worth, those
    without an upper end (``ENDLESS`` in the name) that of Student's t for the logarithm. Both use
    the t of the degrees of freedom by Welch and Satterthwaite. If all patients score the same, the
    interval is that of a share of as many patients. Of scores that can rest on few patients
    (``HEAVY_TAILED`` in the name) the variance over patients has fewer degrees of freedom, see
    ``_heavy_tailed``.

    Args:
        seeds: The scores of S trainings with other seeds on the same patients.
        patients: Number of patients, P.
        groups: Patients on which each score rests; scores that are not named are left out.
        level: Coverage that is aimed at, in (0, 1).
    """
    tables = _left_out(seeds, patients)
    found = {}
    for name, table in tables.items():
        if name in groups:
            group, ends = groups[name], _above_0 if _is_endless(name) else _in_unit
            freedom = _heavy_tailed if any(k in name for k in HEAVY_TAILED) else _student
            parts = _over_patients(table.mean(0), group, freedom) + _over_seeds(table, group)
            found[name] = _interval(table[:, 0].mean(), parts, group, level, ends)
    return found


def mean_interval(values: np.ndarray) -> Interval:
    """Return the 95 % interval of the mean of one value in [0, 1] a patient, (P,)."""

    def mean(weights: np.ndarray) -> dict[str, float]:
        return {'mean': float(np.average(values, weights=weights))}

    number = len(values)
    return score_intervals([mean], number, {'mean': np.zeros(number, int)})['mean']


def difference_intervals(
    a: Sequence[Score], b: Sequence[Score], patients: int, groups: Groups, *, level: float = 0.95
) -> dict[str, tuple[float, Interval, float | None]]:
    """Return the difference a - b of every score, its interval, and a p-value.

    Both systems lose the same patient, so its difficulty cancels. The interval is Student's, over
    patients and seeds as in ``score_intervals``; that of scores in [0, 1] ends at -1 and 1. If both
    have as many seeds, the k-th of one is the partner of the k-th of the other; if not, the
    variances of their seeds are added.

    The p-value is that of a sign-flip test over the patients, with the seeds as they are: each
    patient's part in the difference (its pseudo-value) could as well have the other sign.

    Args:
        a: Scores of the first system, one per seed.
        b: Scores of the second system, one per seed.
        patients: Number of patients, P.
        groups: Patients on which each score rests; scores that are not named are left out.
        level: Coverage that is aimed at, in (0, 1).

    Returns:
        Name to difference, interval (no ends if all patients differ by the same: nothing says how
        much others would) and p-value in (0, 1] (None if no patient differs). Neither under
        ``MIN_PATIENTS``.
    """
    tables_a, tables_b = _left_out(a, patients), _left_out(b, patients)
    found = {}
    for name in tables_a:
        if name in tables_b and name in groups:
            group, of_a, of_b = groups[name], tables_a[name], tables_b[name]
            mean = of_a.mean(0) - of_b.mean(0)
            parts = _over_patients(mean, group, _student)
            if len(of_a) == len(of_b):
                parts += _over_seeds(of_a - of_b, group)
            else:
                parts += _over_seeds(of_a, group) + _over_seeds(of_b, group)
            ends = _of_difference if _is_endless(name) else _of_difference_in_unit
            interval = _interval(mean[0], parts, group, level, ends)
            values = _pseudo_values(mean, group >= 0)
            differs = interval.patients >= MIN_PATIENTS and np.abs(values).max() > 1e-9
            found[name] = float(mean[0]), interval, _sign_flip(values) if differs else None
    return found


def smallest_group(group: np.ndarray) -> int:
    """Return the number of patients in the smallest group; 0 if there is none."""
    sizes = np.unique(group[group >= 0], return_counts=True)[1]
    return int(sizes.min()) if len(sizes) else 0


def _left_out(seeds: Sequence[Score], patients: int) -> dict[str, np.ndarray]:
    """Return each score of S seeds (S, P + 1): of all patients, then without one after the other.

    A score that a seed does not have of all patients is left out. NaN: it is not defined without
    this patient.
    """
    weights = np.vstack([np.ones(patients), 1 - np.eye(patients)])
    found = [[score(row) if row.any() else {} for row in weights] for score in seeds]
    names = [name for name in found[0][0] if all(name in of_seed[0] for of_seed in found)]
    return {
        name: np.array([[row.get(name, np.nan) for row in of_seed] for of_seed in found])
        for name in names
    }


def _pseudo_values(row: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return n s - (n - 1) s_i of n chosen patients, of scores (..., P + 1); for a mean the value.

    s is the score of all patients, s_i that without one.
    """
    number = int(chosen.sum())
    return number * row[..., :1] - (number - 1) * row[..., 1:][..., chosen]


def _over_patients(
    row: np.ndarray, group: np.ndarray, freedom: Callable[[np.ndarray], float]
) -> list[Part]:
    """The variance of a score (P + 1,) over the patients, a part for each group."""
    values = [_pseudo_values(row, group == k) for k in np.unique(group[group >= 0])]
    return [Part(float(v.var(ddof=1)) / len(v), freedom(v)) for v in values if len(v) > 1]


def _student(values: np.ndarray) -> float:
    return len(values) - 1.0


def _heavy_tailed(values: np.ndarray) -> float:
    """Degrees of freedom of the variance of n values, n - 1 or fewer.

    The variance of a variance is s^4 (2 / (n - 1) + K / n), K the excess kurtosis (O'Neill 2014).
    Few patients that decide a score make K large, and the variance is then less sure. Means over
    patients and differences do without: with it their intervals hold too often.
    """
    number = len(values)
    if number < 4 or np.ptp(values) < 1e-9:  # no K
        return _student(values)
    excess = max(float(kurtosis(values, bias=False)), 0.0)
    return 2 / (2 / (number - 1) + excess / number)


def _over_seeds(table: np.ndarray, group: np.ndarray) -> list[Part]:
    """The variance of the mean of scores (S, P + 1) over the seeds beyond that within patients."""
    seeds, within, freedom = len(table), 0.0, 0
    if seeds == 1:
        return []
    for k, n in enumerate(np.bincount(group[group >= 0])):
        if n > 1:
            values = _pseudo_values(table, group == k)
            rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
            within += float(np.square(rest).sum()) / ((n - 1) * (seeds - 1)) / (n * seeds)
            freedom += (n - 1) * (seeds - 1)
    between = float(table[:, 0].var(ddof=1)) / seeds
    return [Part(between, seeds - 1), Part(-within, freedom)] if between > within else []


def _interval(
    value: float,
    parts: Sequence[Part],
    group: np.ndarray,
    level: float,
    ends: Callable[[float, float, float, int], tuple[float, float] | None],
) -> Interval:
    patients = smallest_group(group)
    variance = sum(part.variance for part in parts)
    if patients < MIN_PATIENTS or not np.isfinite(variance):
        return Interval(None, None, patients)
    spread = sum(part.variance**2 / part.freedom for part in parts if part.freedom)
    freedom = max(variance**2 / spread, 1.0) if spread > 0 else patients - 1.0
    quantile = float(stdtrit(freedom, (1 + level) / 2))
    low, high = ends(value, variance, quantile, patients) or (None, None)
    return Interval(low, high, patients)


def _in_unit(value: float, variance: float, quantile: float, patients: int) -> tuple[float, float]:
    """Wilson's interval of a score in [0, 1] for n = value (1 - value) / variance patients."""
    n = value * (1 - value) / variance if variance > 1e-15 else patients
    n = max(n, 1.0)
    shrink = 1 + quantile**2 / n
    centre = (value + quantile**2 / (2 * n)) / shrink
    reach = quantile / shrink * np.sqrt(value * (1 - value) / n + quantile**2 / (4 * n**2))
    return max(float(centre - reach), 0.0), min(float(centre + reach), 1.0)


def _is_endless(name: str) -> bool:
    return any(part in name for part in ENDLESS)


def _above_0(
    value: float, variance: float, quantile: float, patients: int
) -> tuple[float, float] | None:
    if value <= 0 or variance <= 1e-15:
        return None
    reach = float(np.exp(quantile * np.sqrt(variance) / value))
    return value / reach, value * reach


def _of_difference(
    value: float, variance: float, quantile: float, patients: int
) -> tuple[float, float] | None:
    if variance <= 1e-15:  # all patients differ by the same: nothing says how much others would
        return None
    reach = quantile * float(np.sqrt(variance))
    return value - reach, value + reach


def _of_difference_in_unit(
    value: float, variance: float, quantile: float, patients: int
) -> tuple[float, float] | None:
    ends = _of_difference(value, variance, quantile, patients)
    return ends and (max(ends[0], -1.0), min(ends[1], 1.0))


def _sign_flip(values: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    found = permutation_test(
        (values,), _mean, permutation_type='samples', n_resamples=PERMUTATIONS,
        vectorized=True, random_state=rng,
    )  # fmt: skip
    return float(found.pvalue)


def _mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.mean(values, axis=axis)
