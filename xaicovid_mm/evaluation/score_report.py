"""The test table: every number with its name, its interval and what it stands on."""

import json
from pathlib import Path

import numpy as np
from rich.table import Table

from .bootstrap import Score, bootstrap_intervals
from .metric_definitions import INTERVAL, definition
from .slice_scores import Rows, diagnosis_score, infection_score, read_rows

__all__ = ['as_table', 'make_report', 'read_rows', 'score_rows', 'write_score_report']


def make_report(infection: Rows, diagnosis: Rows, resamples: int = 1000) -> dict:
    """Scores with patient-level 95 % bootstrap intervals.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.
        resamples: Of the bootstrap.

    Returns:
        ``scores``: name to value, low, high, patients, slices (low and high None where a
        single patient decides); ``notes``: what a reader must know; ``definitions``: what each
        name means.
    """
    scores: dict[str, dict] = {}
    if infection:
        scores |= score_rows('seg', infection, infection_score(infection), resamples)
    if diagnosis:
        scores |= score_rows('cls', diagnosis, diagnosis_score(diagnosis), resamples)
    definitions = {name: definition(name) for name in scores} | {'interval': INTERVAL}
    return dict(scores=scores, notes=_notes(diagnosis), definitions=definitions)


def score_rows(prefix: str, rows: Rows, score: Score, resamples: int) -> dict[str, dict]:
    """Name to value, low, high, patients and slices of what ``score`` says of the rows."""
    patients = len({row['patient'] for row in rows})
    intervals = bootstrap_intervals(patients, score, resamples)
    part = {}
    for name, value in score(np.ones(patients)).items():
        low, high = intervals[name] or (None, None)
        part[f'{prefix}/{name}'] = dict(
            value=value, low=low, high=high, patients=patients, slices=len(rows)
        )
    return part


def as_table(report: dict, title: str) -> Table:
    """The report as a table for a terminal."""
    table = Table('metric', 'value', '95 % interval', 'patients', 'slices', title=title)
    for name, s in report['scores'].items():
        interval = 'n/a (1 patient)' if s['low'] is None else f'{s["low"]:.3f} to {s["high"]:.3f}'
        table.add_row(name, f'{s["value"]:.3f}', interval, str(s['patients']), str(s['slices']))
    table.caption = ' '.join(report['notes'])
    return table


def write_score_report(report: dict, path: str | Path) -> None:
    """Write the report as JSON."""
    Path(path).write_text(json.dumps(report, indent=1), encoding='utf-8')


def _notes(rows: Rows) -> list[str]:
    sites = {
        label: {r['site'] for r in rows if r['label'] == label}
        for label in {r['label'] for r in rows}
    }
    shared = set.intersection(*sites.values()) if sites else set()
    if len(sites) < 2 or shared:
        return []
    return [
        'Class is confounded with site here: no site has every class, so the cls/ scores measure '
        'the look of a source as well as the disease.'
    ]
