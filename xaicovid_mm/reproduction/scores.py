"""Scores of the systems over their seeds, and differences between systems."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..evaluation.comparison import RowsByMetric, compare, read_test_rows, shared_groups
from ..evaluation.intervals import score_intervals
from ..evaluation.slice_scores import SCORES
from .runs import Run


@dataclass(frozen=True)
class SystemScore:
    """One score of a system.

    Attributes:
        seeds: The score of each seed.
        low, high: 95 % interval of the mean over patients and seeds, see ``score_intervals``;
            None under 6 patients.
        patients: On whom the score rests; of a score of classes those of the smallest.
    """

    seeds: tuple[float, ...]
    low: float | None
    high: float | None
    patients: int

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


def system_scores(tests: dict[int, RowsByMetric]) -> dict[str, SystemScore]:
    """Return every score of a system over its seeds; a metric that a seed lacks is left out.

    Args:
        tests: Seed to the rows of its test.
    """
    system = {}
    for prefix, score_of in SCORES.items():
        rows = [test[prefix] for test in tests.values()]
        if not all(rows):
            continue
        scores = [score_of(rows_of_seed) for rows_of_seed in rows]
        number, groups = len(scores[0].patients), shared_groups(scores)
        values = [score(np.ones(number)) for score in scores]
        for name, interval in score_intervals(scores, number, groups).items():
            system[f'{prefix}/{name}'] = SystemScore(tuple(v[name] for v in values), *interval)
    return system


def differences(tests: SystemRows, ours: str) -> dict[str, dict[str, dict]]:
    """Compare a system with each other system over the seeds that both have.

    Args:
        tests: Test rows of all systems.
        ours: The system that the others are compared with.

    Returns:
        Name of the other system to the differences ours - other, see ``compare``.
    """
    against = {}
    for name, others in tests.items():
        seeds = sorted(set(tests.get(ours, {})) & set(others))
        if name != ours and seeds:
            a, b = ([system[seed] for seed in seeds] for system in (tests[ours], others))
            against[name] = compare(a, b)
    return against
