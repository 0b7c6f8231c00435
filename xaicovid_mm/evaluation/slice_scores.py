"""Scores of the per-slice rows that the metrics write."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..classes import CLASSES
from .bootstrap import Score
from .classification_scores import ClassificationScores, patient_probs
from .segmentation_scores import SegmentationScores
from .surface_scores import SurfaceScores

Rows = list[dict[str, Any]]
ROW_FILES = {'seg': 'infection.csv', 'cls': 'diagnosis.csv'}
"""File that ``tools/test.py`` makes a metric write, by the prefix of the metric."""


def read_rows(path: str | Path) -> Rows:
    """Read the CSV that a metric wrote with ``out_file``; no rows if there is no such file."""
    if not Path(path).is_file():
        return []
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def class_probs(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (N,) and class probabilities (N, C) of rows of ``DiagnosisMetric``."""
    probs = np.array([[float(row[f'prob_{k}']) for k in CLASSES] for row in rows])
    return np.array([int(row['label']) for row in rows]), probs


def infection_score(rows: Rows) -> Score:
    """Return the score of rows of ``InfectionMetric``.

    The weights it takes are those of the patients in sorted order.
    """
    counts = np.array([[int(row[k]) for k in ('tp', 'fp', 'fn')] for row in rows])
    cases, patients = ([row[k] for row in rows] for k in ('case', 'patient'))
    nsd, hd95 = (np.array([_number(row[k]) for row in rows]) for k in ('nsd', 'hd95_mm'))
    overlap = SegmentationScores(counts, cases, patients)
    outline = SurfaceScores(nsd, hd95, patients)

    def score(weights: np.ndarray) -> dict[str, float]:
        return overlap(weights) | outline(weights)

    return score


def diagnosis_score(rows: Rows) -> Score:
    """Return the score of rows of ``DiagnosisMetric``, per slice and per patient.

    The weights it takes are those of the patients in sorted order.
    """
    labels, probs = class_probs(rows)
    patients = [row['patient'] for row in rows]
    owner = np.unique(patients, return_inverse=True)[1]
    by_slice = ClassificationScores(labels, probs)
    by_patient = ClassificationScores(*patient_probs(labels, probs, patients))

    def score(weights: np.ndarray) -> dict[str, float]:
        return {f'{k}_slice': v for k, v in by_slice(weights[owner]).items()} | {
            f'{k}_patient': v for k, v in by_patient(weights).items()
        }

    return score


SCORES: dict[str, Callable[[Rows], Score]] = {'seg': infection_score, 'cls': diagnosis_score}
"""How the rows of a metric are scored, by the prefix of the metric."""


def _number(cell: str | float) -> float:
    return float('nan' if cell == '' else cell)
