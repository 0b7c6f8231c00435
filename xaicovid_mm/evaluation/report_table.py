"""The test table: every number with its name, its interval and what it stands on."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.table import Table

from ..structures import CLASSES
from .bootstrap import bootstrap_intervals
from .classification_scores import classification_scores, patient_probs
from .segmentation_scores import segmentation_scores

Rows = list[dict[str, str]]


def read_rows(path: str | Path) -> Rows:
    """Rows of a CSV that a metric wrote with ``out_file``; none if it wrote nothing."""
    if not Path(path).is_file():
        return []
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def make_report(infection: Rows, diagnosis: Rows, resamples: int = 1000) -> dict:
    """Scores with patient-level 95 % bootstrap intervals.

    Args:
        infection: Rows of ``InfectionMetric``.
        diagnosis: Rows of ``DiagnosisMetric``.
        resamples: Of the bootstrap.

    Returns:
        ``scores``: name to value, low, high, patients, slices (low and high None for a single
        patient); ``notes``: what a reader must know.
    """
    scores = _part('seg', infection, _infection_score(infection), resamples)
    scores |= _part('cls', diagnosis, _diagnosis_score(diagnosis), resamples)
    return dict(scores=scores, notes=_notes(diagnosis))


def as_table(report: dict, title: str) -> Table:
    """The report as a table for a terminal."""
    table = Table('metric', 'value', '95 % interval', 'patients', 'slices', title=title)
    for name, s in report['scores'].items():
        interval = 'n/a (1 patient)' if s['low'] is None else f'{s["low"]:.3f} to {s["high"]:.3f}'
        table.add_row(name, f'{s["value"]:.3f}', interval, str(s['patients']), str(s['slices']))
    table.caption = ' '.join(report['notes'])
    return table


def write_report(report: dict, path: str | Path) -> None:
    """Write the report as JSON."""
    Path(path).write_text(json.dumps(report, indent=1), encoding='utf-8')


def _part(prefix: str, rows: Rows, score: Callable, resamples: int) -> dict:
    if not rows:
        return {}
    patients = [row['patient'] for row in rows]
    intervals = bootstrap_intervals(patients, score, resamples)
    size = dict(patients=len(set(patients)), slices=len(rows))
    part = {}
    for name, value in score(np.arange(len(rows))).items():
        low, high = intervals[name] or (None, None)
        part[f'{prefix}/{name}'] = dict(value=value, low=low, high=high, **size)
    return part


def _infection_score(rows: Rows) -> Callable:
    counts = np.array([[int(r[k]) for k in ('tp', 'fp', 'fn')] for r in rows])
    cases, patients = (np.array([r[k] for r in rows]) for k in ('case', 'patient'))
    return lambda i: segmentation_scores(counts[i], cases[i].tolist(), patients[i].tolist())


def _diagnosis_score(rows: Rows) -> Callable:
    labels = np.array([int(r['label']) for r in rows])
    probs = np.array([[float(r[f'prob_{k}']) for k in CLASSES] for r in rows])
    patients = np.array([r['patient'] for r in rows])

    def score(i: np.ndarray) -> dict[str, float]:
        by_patient = patient_probs(labels[i], probs[i], patients[i].tolist())
        slices, whole = (
            classification_scores(labels[i], probs[i]),
            classification_scores(*by_patient),
        )
        return {f'{k}_slice': v for k, v in slices.items()} | {
            f'{k}_patient': v for k, v in whole.items()
        }

    return score


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
