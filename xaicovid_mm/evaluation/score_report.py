"""The table of a test: every score with its definition, its interval and its sample size."""

import json
from pathlib import Path

import numpy as np
from rich.table import Table

from ..utils.files import write_text
from .bootstrap import bootstrap_intervals
from .metric_definitions import INTERVAL, definition
from .slice_scores import SCORES, Rows


def make_report(infection: Rows, diagnosis: Rows, *, resamples: int = 1000) -> dict:
    """Return every score with its 95 % bootstrap interval over patients.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.
        resamples: Draws of the bootstrap.

    Returns:
        ``scores``: name to value, low, high, patients, slices (low and high are None if the
        score rests on a single patient); ``notes``: what a reader must know; ``definitions``:
        name to its meaning.
    """
    scores = _scores('seg', infection, resamples) | _scores('cls', diagnosis, resamples)
    definitions = {name: definition(name) for name in scores} | {'interval': INTERVAL}
    return dict(scores=scores, notes=_notes(diagnosis), definitions=definitions)


def as_table(report: dict, title: str) -> Table:
    """Return the report as a table for a terminal."""
    table = Table('metric', 'value', '95 % interval', 'patients', 'slices', title=title)
    for name, s in report['scores'].items():
        interval = 'n/a (1 patient)' if s['low'] is None else f'{s["low"]:.3f} to {s["high"]:.3f}'
        table.add_row(name, f'{s["value"]:.3f}', interval, str(s['patients']), str(s['slices']))
    table.caption = ' '.join(report['notes'])
    return table


def write_score_report(report: dict, path: str | Path) -> None:
    """Write the report as JSON, whole or not at all.

    Raises:
        OSError: If the disk refuses.
    """
    write_text(path, json.dumps(report, indent=1))


def _scores(prefix: str, rows: Rows, resamples: int) -> dict[str, dict]:
    if not rows:
        return {}
    score = SCORES[prefix](rows)
    patients = len({row['patient'] for row in rows})
    intervals = bootstrap_intervals(patients, score, resamples=resamples)
    scores = {}
    for name, value in score(np.ones(patients)).items():
        low, high = intervals[name] or (None, None)
        scores[f'{prefix}/{name}'] = dict(
            value=value, low=low, high=high, patients=patients, slices=len(rows)
        )
    return scores


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
