"""Is one system better than another on the same slices, over seeds?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from .bootstrap import Score, bootstrap_intervals, mean_score, paired_difference
from .slice_scores import ROW_FILES, Rows, diagnosis_score, infection_score, read_rows

SCORES = {'seg': infection_score, 'cls': diagnosis_score}
Tested = dict[str, Rows]
"""What a test of one checkpoint left: rows of both metrics, under 'seg' and 'cls'."""


def read_tested(folder: str | Path) -> Tested:
    """Rows that ``tools/test.py`` left in a folder.

    Raises:
        FileNotFoundError: If it left none there.
    """
    tested = {prefix: read_rows(Path(folder, name)) for prefix, name in ROW_FILES.items()}
    if not any(tested.values()):
        raise FileNotFoundError(
            f'{folder} has no {" or ".join(ROW_FILES.values())}: give the folder that '
            'tools/test.py wrote, test_val or test_test beside the checkpoint by default'
        )
    return tested


def compare(a: Sequence[Tested], b: Sequence[Tested], resamples: int = 1000) -> dict[str, dict]:
    """Differences a - b of every score with paired, patient-level 95 % bootstrap intervals.

    A system's score is the mean over its seeds; the interval is over patients, for these seeds.

    Args:
        a: Tests of the first system, one a seed.
        b: Tests of the second.
        resamples: Of the bootstrap.

    Returns:
        Name to ``a`` and ``b`` (a value per seed), ``difference`` of their means, ``low`` and
        ``high`` (None for a single patient), ``patients`` and ``slices``. What one of the systems
        does not do, classify say, is left out.

    Raises:
        ValueError: If not every test scored the same slices.
    """
    scores: dict[str, dict] = {}
    for prefix in SCORES:
        if all(any(tested[prefix] for tested in system) for system in (a, b)):
            _check_same(prefix, [*a, *b])
            rows = a[0][prefix]
            names = (f'{prefix}/', len({row['patient'] for row in rows}), len(rows))
            each = [[SCORES[prefix](tested[prefix]) for tested in system] for system in (a, b)]
            scores |= _differences(each, *names, resamples)
    return scores


def comparison_table(scores: dict[str, dict], a: str, b: str) -> Table:
    """The differences as a table for a terminal."""
    table = Table('metric', a, b, 'difference', '95 % interval', 'patients')
    for name, s in scores.items():
        interval = 'n/a' if s['low'] is None else f'{s["low"]:+.3f} to {s["high"]:+.3f}'
        seeds = (_seeds(s[system]) for system in 'ab')
        table.add_row(name, *seeds, f'{s["difference"]:+.3f}', interval, str(s['patients']))
    table.caption = (
        'Mean over seeds (each seed). Intervals: patients drawn with replacement, the same for '
        'both; one without 0 is more than the chance of the patients, of these seeds.'
    )
    return table


def _differences(
    each: list[list[Score]], prefix: str, patients: int, slices: int, resamples: int
) -> dict[str, dict]:
    difference = paired_difference(mean_score(each[0]), mean_score(each[1]))
    intervals = bootstrap_intervals(patients, difference, resamples)
    once = np.ones(patients)
    values = [[score(once) for score in system] for system in each]
    found = {}
    for name, value in difference(once).items():
        low, high = intervals[name] or (None, None)
        a, b = ([scores[name] for scores in system] for system in values)
        found[prefix + name] = dict(
            a=a, b=b, difference=value, low=low, high=high, patients=patients, slices=slices
        )
    return found


def _seeds(values: Sequence[float]) -> str:
    mean = f'{np.mean(values):.3f}'
    return f'{mean} ({", ".join(f"{v:.3f}" for v in values)})' if len(values) > 1 else mean


def _check_same(prefix: str, tests: Sequence[Tested]) -> None:
    first, *others = ({(r['sample_id'], r['patient']) for r in tested[prefix]} for tested in tests)
    for ids in others:
        if odd := sorted(first ^ ids):
            raise ValueError(
                f'{prefix}: two tests scored {len(first)} and {len(ids)} slices, and slice '
                f'{odd[0][0]!r} is not the same in both: test all on the same split and role'
            )
