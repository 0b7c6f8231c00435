"""Compare two systems on the same slices, over one or more seeds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from .intervals import MIN_PATIENTS, difference_intervals
from .metric_definitions import P_VALUE
from .slice_scores import ROW_FILES, SCORES, PatientScore, Rows, read_rows

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


def compare(a: Sequence[RowsByMetric], b: Sequence[RowsByMetric]) -> dict[str, dict]:
    """Return the difference a - b of every score with a paired 95 % interval and a p-value.

    The score of a system is the mean over its seeds. The interval is over patients and seeds, see
    ``difference_intervals``.

    Args:
        a: Tests of the first system, one per seed.
        b: Tests of the second system, one per seed.

    Returns:
        Score name to ``a`` and ``b`` (a value per seed), ``difference`` of their means, ``low``,
        ``high`` and ``p_value`` (None under 6 patients, see ``difference_intervals`` for other
        reasons), ``patients`` on whom the score rests and ``slices``.
        Scores that one system does not have, such as those of a class, are left out.

    Raises:
        ValueError: If the tests scored different slices.
    """
    scores: dict[str, dict] = {}
    for prefix, score_of in SCORES.items():
        if not all(any(test[prefix] for test in system) for system in (a, b)):
            continue
        _check_same_slices(prefix, [*a, *b])
        slices = len(a[0][prefix])
        scores_a, scores_b = ([score_of(test[prefix]) for test in system] for system in (a, b))
        differences = _differences(scores_a, scores_b)
        scores |= {f'{prefix}/{name}': s | dict(slices=slices) for name, s in differences.items()}
    return scores


def comparison_table(scores: dict[str, dict], a: str, b: str) -> Table:
    """Return the result of ``compare`` as a table for a terminal.

    Args:
        scores: Result of ``compare``.
        a: Name of the first system.
        b: Name of the second system.
    """
    table = Table('metric', a, b, 'difference', '95 % interval', 'p', 'patients')
    for name, s in scores.items():
        interval = 'n/a' if s['low'] is None else f'{s["low"]:+.3f} to {s["high"]:+.3f}'
        seeds = (_mean_and_seeds(s[system]) for system in 'ab')
        p_value = 'n/a' if s['p_value'] is None else f'{s["p_value"]:.4f}'
        difference = f'{s["difference"]:+.3f}'
        table.add_row(name, *seeds, difference, interval, p_value, str(s['patients']))
    one = any(len(s[system]) == 1 for s in scores.values() for system in 'ab')
    table.caption = (
        'Mean over seeds (each seed). Intervals: patients and seeds, the same patients for both; '
        f'n/a under {MIN_PATIENTS} patients, or if all differ by the same. p: {P_VALUE}.'
    ) + (' One seed of a system: another seed can fall outside its interval.' if one else '')
    return table


def _differences(scores_a: list[PatientScore], scores_b: list[PatientScore]) -> dict[str, dict]:
    number = len(scores_a[0].patients)
    groups = shared_groups([*scores_a, *scores_b])
    values_a, values_b = (
        [score(np.ones(number)) for score in scores] for scores in (scores_a, scores_b)
    )
    return {
        name: dict(
            a=[values[name] for values in values_a],
            b=[values[name] for values in values_b],
            difference=difference,
            p_value=p_value,
            **interval._asdict(),
        )
        for name, (difference, interval, p_value) in difference_intervals(
            scores_a, scores_b, number, groups
        ).items()
    }


def shared_groups(scores: Sequence[PatientScore]) -> dict[str, np.ndarray]:
    """The patients on whom each score rests in all tests: those hit differ by system."""
    names = set.intersection(*(set(score.groups) for score in scores))
    return {name: np.min([score.groups[name] for score in scores], axis=0) for name in names}


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
