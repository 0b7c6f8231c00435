"""Compare two systems on the same slices, over one or more seeds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from .bootstrap import Score, bootstrap_intervals, mean_score, paired_difference
from .slice_scores import ROW_FILES, SCORES, Rows, read_rows

RowsByMetric = dict[str, Rows]
"""The rows of both metrics from the test of one checkpoint, under 'seg' and 'cls'."""


def read_test_rows(folder: str | Path) -> RowsByMetric:
    """Read the rows that ``tools/test.py`` wrote into a folder.

    Raises:
        FileNotFoundError: If the folder has none.
    """
    rows = {prefix: read_rows(Path(folder, name)) for prefix, name in ROW_FILES.items()}
    if not any(rows.values()):
        raise FileNotFoundError(
            f'{folder} has no {" or ".join(ROW_FILES.values())}: give the folder that '
            'xaicovid test wrote, test_val or test_test beside the checkpoint by default'
        )
    return rows


def compare(
    a: Sequence[RowsByMetric], b: Sequence[RowsByMetric], *, resamples: int = 1000
) -> dict[str, dict]:
    """Return the difference a - b of every score with a paired 95 % bootstrap interval.

    The score of a system is the mean over its seeds. The interval is over patients, and over seeds
    if both systems have as many: the k-th of one is then the partner of the k-th of the other.

    Args:
        a: Tests of the first system, one per seed.
        b: Tests of the second system, one per seed.
        resamples: Draws of the bootstrap.

    Returns:
        Score name to ``a`` and ``b`` (a value per seed), ``difference`` of their means, ``low``
        and ``high`` (None if the score rests on a single patient), ``patients`` and ``slices``.
        Scores that one system does not have, such as those of a class, are left out.

    Raises:
        ValueError: If the tests scored different slices.
    """
    scores: dict[str, dict] = {}
    for prefix, score_of in SCORES.items():
        if not all(any(test[prefix] for test in system) for system in (a, b)):
            continue
        _check_same_slices(prefix, [*a, *b])
        rows = a[0][prefix]
        sizes = dict(patients=len({row['patient'] for row in rows}), slices=len(rows))
        scores_a, scores_b = ([score_of(test[prefix]) for test in system] for system in (a, b))
        differences = _differences(scores_a, scores_b, sizes['patients'], resamples)
        scores |= {f'{prefix}/{name}': entry | sizes for name, entry in differences.items()}
    return scores


def comparison_table(scores: dict[str, dict], a: str, b: str) -> Table:
    """Return the result of ``compare`` as a table for a terminal.

    Args:
        scores: Result of ``compare``.
        a: Name of the first system.
        b: Name of the second system.
    """
    table = Table('metric', a, b, 'difference', '95 % interval', 'patients')
    for name, s in scores.items():
        interval = 'n/a' if s['low'] is None else f'{s["low"]:+.3f} to {s["high"]:+.3f}'
        seeds = (_mean_and_seeds(s[system]) for system in 'ab')
        table.add_row(name, *seeds, f'{s["difference"]:+.3f}', interval, str(s['patients']))
    table.caption = (
        'Mean over seeds (each seed). Intervals: patients and seeds drawn with replacement, the '
        'same for both; one without 0 is more than the chance of patients and seeds.'
    )
    return table


def _differences(
    scores_a: list[Score], scores_b: list[Score], patients: int, resamples: int
) -> dict[str, dict]:
    seeds = len(scores_a)
    if len(scores_b) == seeds:
        difference = paired_difference(mean_score(scores_a), mean_score(scores_b))
    else:
        seeds, difference = 0, paired_difference(_plain_mean(scores_a), _plain_mean(scores_b))
    intervals = bootstrap_intervals(patients, difference, seeds=seeds, resamples=resamples)
    once = np.ones(patients)
    values_a, values_b = ([score(once) for score in scores] for scores in (scores_a, scores_b))
    entries = {}
    for name, value in difference(np.ones(patients + seeds)).items():
        low, high = intervals[name] or (None, None)
        a, b = ([values[name] for values in system] for system in (values_a, values_b))
        entries[name] = dict(a=a, b=b, difference=value, low=low, high=high)
    return entries


def _plain_mean(scores: list[Score]) -> Score:
    """The mean over seeds that all count once."""
    mean, once = mean_score(scores), np.ones(len(scores))
    return lambda weights: mean(np.concatenate([weights, once]))


def _mean_and_seeds(values: Sequence[float]) -> str:
    mean = f'{np.mean(values):.3f}'
    return f'{mean} ({", ".join(f"{v:.3f}" for v in values)})' if len(values) > 1 else mean


def _check_same_slices(prefix: str, tests: Sequence[RowsByMetric]) -> None:
    first, *others = ({(r['sample_id'], r['patient']) for r in test[prefix]} for test in tests)
    for ids in others:
        if mismatched := sorted(first ^ ids):
            raise ValueError(
                f'{prefix}: two tests scored {len(first)} and {len(ids)} slices, and slice '
                f'{mismatched[0][0]!r} is not the same in both: test all on the same split and role'
            )
