"""Averages of the scores of maps over slices and patients, with intervals."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..intervals import Interval, Score, score_intervals
from .map_status import OK

IDS = ('sample_id', 'case', 'patient', 'site', 'explained_class', 'map', 'status')
"""Columns of a row that are no scores."""
SIGNED = ('rank_correlation', '/road')
"""Parts of the names of scores in [-1, 1]."""
BY_DEFINITION = re.compile(r'blank/(infection|cause)_auc_')
"""Names of scores that are 0.5 whatever the patients: they have no interval."""
Rows = Sequence[dict[str, Any]]
_AVERAGES = ('_patient_mean', '_slice_mean')


def number_rows(rows: Rows) -> list[dict[str, Any]]:
    """Return the rows of a CSV file with their scores as numbers; an empty cell is no score."""
    return [{k: v if k in IDS else float(v) for k, v in row.items() if v != ''} for row in rows]


def score_names(rows: Rows) -> list[str]:
    """Return the names of the scores that rows have, in order of appearance."""
    return [name for name in dict.fromkeys(name for row in rows for name in row) if name not in IDS]


def explanation_score(rows: Rows) -> Score:
    """Return the score of rows of ``ExplanationMetric``.

    The weights it takes are those of the patients in sorted order. It gives, for each map and
    score, ``<map>/<score>_patient_mean``, the mean over patients of the mean over their slices, and
    ``<map>/<score>_slice_mean``; slices without the score do not count in either. And for each map
    ``<map>/faulty_slice_share``, the share in [0, 1] of the slices whose status is not ok.
    """
    patients = sorted({row['patient'] for row in rows})
    number = {patient: i for i, patient in enumerate(patients)}
    maps = list(dict.fromkeys(row['map'] for row in rows))
    columns = {
        key: i for i, key in enumerate((m, s) for m in maps for s in [*score_names(rows), 'status'])
    }
    total, count = np.zeros((2, len(patients), len(columns)))
    for row in rows:
        known = {k: v for k, v in row.items() if k not in IDS} | {'status': row['status'] != OK}
        for name, value in known.items():
            place = number[row['patient']], columns[row['map'], name]
            total[place] += value
            count[place] += 1
    has = count > 0
    mean = total / np.where(has, count, 1)

    def score(weights: np.ndarray) -> dict[str, float]:
        of_patients, of_slices = weights @ has, weights @ count
        sums = weights @ mean, weights @ total
        scores = {}
        for (map_name, name), i in columns.items():
            if not of_patients[i]:
                continue
            by_slice = float(sums[1][i] / of_slices[i])
            if name == 'status':
                scores[f'{map_name}/faulty_slice_share'] = by_slice
                continue
            scores[f'{map_name}/{name}_patient_mean'] = float(sums[0][i] / of_patients[i])
            scores[f'{map_name}/{name}_slice_mean'] = by_slice
        return scores

    return score


def explanation_table(rows: Rows) -> dict[str, dict[str, Any]]:
    """Return, for each score of ``explanation_score``, what a table says of it.

    Args:
        rows: Of ``ExplanationMetric``.

    Returns:
        Name to ``value``, ``low`` and ``high`` of the 95 % interval over patients (None where
        there is none, see ``score_intervals``), and the numbers of ``patients`` and ``slices`` that
        have the score.
    """
    if not rows:
        return {}
    score, patients = explanation_score(rows), sorted({row['patient'] for row in rows})
    values, having = score(np.ones(len(patients))), _rows_by_score(rows)
    groups = {
        name: np.where(np.isin(patients, [row['patient'] for row in having[name]]), 0, -1)
        for name in values
    }
    intervals = _intervals(score, len(patients), groups)
    return {
        name: dict(
            value=value,
            low=intervals[name].low,
            high=intervals[name].high,
            patients=len({row['patient'] for row in having[name]}),
            slices=len(having[name]),
        )
        for name, value in values.items()
    }


def _rows_by_score(rows: Rows) -> dict[str, list[dict[str, Any]]]:
    """The rows that each score of ``explanation_score`` is an average of."""
    having: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        names = [f'{name}{average}' for name in row if name not in IDS for average in _AVERAGES]
        for name in [*names, 'faulty_slice_share']:
            having.setdefault(f'{row["map"]}/{name}', []).append(row)
    return having


def _intervals(score: Score, patients: int, groups: dict[str, np.ndarray]) -> dict[str, Interval]:
    """The intervals of ``score_intervals``; scores in [-1, 1] are moved to [0, 1] for it."""

    def in_unit(weights: np.ndarray) -> dict[str, float]:
        return {k: (v + 1) / 2 if _is_signed(k) else v for k, v in score(weights).items()}

    found = score_intervals([in_unit], patients, groups)
    for name, (low, high, number) in found.items():
        if BY_DEFINITION.match(name):
            found[name] = Interval(None, None, number)
        elif _is_signed(name) and low is not None and high is not None:
            found[name] = Interval(2 * low - 1, 2 * high - 1, number)
    return found


def _is_signed(name: str) -> bool:
    return any(part in name for part in SIGNED)
