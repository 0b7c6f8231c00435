"""Scores of the systems over their seeds, and differences between systems."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..evaluation.bootstrap import bootstrap_intervals, mean_score
from ..evaluation.comparison import RowsByMetric, compare, read_test_rows
from ..evaluation.slice_scores import SCORES
from .runs import Run


@dataclass(frozen=True)
class SystemScore:
    """One score of a system.

    Attributes:
        seeds: The score of each seed.
        low, high: 95 % interval of the mean, over patients and seeds drawn with replacement;
            None if the score rests on a single patient.
    """

    seeds: tuple[float, ...]
    low: float | None
    high: float | None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.seeds))


SystemRows = dict[str, dict[int, RowsByMetric]]
"""Name of a system to seed to the rows of its test."""


def read_finished(runs: Iterable[Run]) -> SystemRows:
    """Read the test rows of the runs that are done; other runs are left out."""
    tests: SystemRows = {}
    for run in runs:
        if run.is_done():
            tests.setdefault(run.name, {})[run.seed] = read_test_rows(run.tested)
    return tests


def system_scores(
    tests: dict[int, RowsByMetric], *, resamples: int = 1000
) -> dict[str, SystemScore]:
    """Return every score of a system over its seeds; a metric that a seed lacks is left out.

    Args:
        tests: Seed to the rows of its test.
        resamples: Draws of the bootstrap.
    """
    system = {}
    for prefix, score_of in SCORES.items():
        rows = [test[prefix] for test in tests.values()]
        if not all(rows):
            continue
        patients = len({row['patient'] for row in rows[0]})
        scores = [score_of(rows_of_seed) for rows_of_seed in rows]
        intervals = bootstrap_intervals(
            patients, mean_score(scores), seeds=len(scores), resamples=resamples
        )
        values = [score(np.ones(patients)) for score in scores]
        for name, interval in intervals.items():
            low, high = interval or (None, None)
            system[f'{prefix}/{name}'] = SystemScore(tuple(v[name] for v in values), low, high)
    return system


def differences(
    tests: SystemRows, ours: str, *, resamples: int = 1000
) -> dict[str, dict[str, dict]]:
    """Compare a system with each other system over the seeds that both have.

    Args:
        tests: Test rows of all systems.
        ours: The system that the others are compared with.
        resamples: Draws of the bootstrap.

    Returns:
        Name of the other system to the differences ours - other, see ``compare``.
    """
    against = {}
    for name, others in tests.items():
        seeds = sorted(set(tests.get(ours, {})) & set(others))
        if name != ours and seeds:
            a, b = ([system[seed] for seed in seeds] for system in (tests[ours], others))
            against[name] = compare(a, b, resamples=resamples)
    return against
