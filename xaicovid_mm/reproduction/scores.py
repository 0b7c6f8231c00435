"""What the runs of each system say, and how the systems differ."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..evaluation.bootstrap import bootstrap_intervals, mean_score
from ..evaluation.comparison import SCORES, Tested, compare, read_tested
from .runs import Run


@dataclass(frozen=True)
class Figure:
    """A score of a system.

    Attributes:
        seeds: Of each seed.
        low, high: 95 % interval of their mean over patients drawn with replacement, for these
            seeds; None for a single patient.
    """

    seeds: tuple[float, ...]
    low: float | None
    high: float | None

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.seeds))


Tests = dict[str, dict[int, Tested]]
"""System to seed to what its test left."""


def finished(runs: Iterable[Run]) -> Tests:
    """The tests of runs that are done; others are left out."""
    tests: Tests = {}
    for run in runs:
        if run.is_done():
            tests.setdefault(run.name, {})[run.seed] = read_tested(run.tested)
    return tests


def figures_of(tests: dict[int, Tested], resamples: int = 1000) -> dict[str, Figure]:
    """Metric to figure over all seeds of a system; a metric that a seed lacks is left out."""
    found = {}
    for prefix, score_of in SCORES.items():
        rows = [tested[prefix] for tested in tests.values()]
        if not all(rows):
            continue
        patients = len({row['patient'] for row in rows[0]})
        scores = [score_of(its) for its in rows]
        intervals = bootstrap_intervals(patients, mean_score(scores), resamples)
        values = [score(np.ones(patients)) for score in scores]
        for name, interval in intervals.items():
            low, high = interval or (None, None)
            found[f'{prefix}/{name}'] = Figure(tuple(v[name] for v in values), low, high)
    return found


def differences(tests: Tests, ours: str, resamples: int = 1000) -> dict[str, dict[str, dict]]:
    """Ours less each other system over the seeds that both have, see ``compare``."""
    found = {}
    for name, others in tests.items():
        seeds = sorted(set(tests.get(ours, {})) & set(others))
        if name != ours and seeds:
            a, b = ([system[seed] for seed in seeds] for system in (tests[ours], others))
            found[name] = compare(a, b, resamples)
    return found
