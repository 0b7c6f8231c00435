"""Scores of the per-slice rows that the metrics write."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..classes import CLASSES
from ..utils.errors import DataError
from .classification_scores import ClassificationScores, patient_probs
from .intervals import Groups, Score
from .segmentation_scores import SegmentationScores
from .surface_scores import SurfaceScores

Rows = list[dict[str, Any]]
ROW_FILES = {'seg': 'infection.csv', 'cls': 'diagnosis.csv'}
"""File that ``tools/test.py`` makes a metric write, by the prefix of the metric."""


def read_rows(path: str | Path) -> Rows:
    """Read the CSV that a metric wrote with ``out_file``; no rows if there is no such file.

    Raises:
        DataError: If it is no CSV, or one without rows: a metric writes none.
    """
    if not Path(path).is_file():
        return []
    try:
        with open(path, newline='', encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path} is no CSV ({error})', 'test the checkpoint again') from error
    if not rows or any(None in row or None in row.values() for row in rows):
        raise DataError(f'{path} is cut off or no table of a test', 'test the checkpoint again')
    return rows


def class_probs(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (N,) and class probabilities (N, C) of rows of ``DiagnosisMetric``."""
    probs = np.array([[float(row[f'prob_{k}']) for k in CLASSES] for row in rows])
    return np.array([int(row['label']) for row in rows]), probs


@dataclass(frozen=True)
class PatientScore:
    """Scores of P patients, sorted by name, as a function of how often each counts.

    Attributes:
        of: Maps weights (P,) to scores by name.
        patients: Names of the patients.
        groups: Name of each score to the patients that it rests on, see ``intervals.Groups``.
    """

    of: Score
    patients: tuple[str, ...]
    groups: Groups

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        """Score the patients with weights (P,)."""
        return self.of(weights)


def infection_patient_score(rows: Rows) -> PatientScore:
    """Return the score of rows of ``InfectionMetric``.

    Scores of infection, those over all pixels too, rest on the patients with infection. Without
    any such patient there are none over all pixels.
    """
    counts = np.array([[int(row[k]) for k in ('tp', 'fp', 'fn')] for row in rows]).reshape(-1, 3)
    cases, patients = ([row[k] for row in rows] for k in ('case', 'patient'))
    nsd, hd95 = (np.array([_number(row[k]) for row in rows]) for k in ('nsd', 'hd95_mm'))
    overlap = SegmentationScores(counts, cases, patients)
    outline = SurfaceScores(nsd, hd95, patients)

    names, owner = np.unique(patients, return_inverse=True)
    infected = counts[:, 0] + counts[:, 2] > 0

    def score(weights: np.ndarray) -> dict[str, float]:
        scores = overlap(weights) | outline(weights)
        some = weights[owner[infected]].any()
        return {k: v for k, v in scores.items() if some or not k.endswith('_global')}

    resting = [
        ('hd95_mm', ~np.isnan(hd95)),
        ('nsd', ~np.isnan(nsd)),
        ('hit_slice_share', ~np.isnan(nsd)),
        ('empty_slice_perfect_share', ~infected),
        ('infected_', infected),
        ('_global', infected),
    ]

    def group(name: str) -> np.ndarray:
        every = np.ones(len(rows), bool)
        chosen = next((slices for part, slices in resting if part in name), every)
        return np.where(np.bincount(owner, chosen, len(names)) > 0, 0, -1)

    groups = {name: group(name) for name in score(np.ones(len(names)))}
    return PatientScore(score, tuple(names.tolist()), groups)


def diagnosis_score(rows: Rows) -> PatientScore:
    """Return the score of rows of ``DiagnosisMetric``, per slice and per patient.

    Accuracy rests on all patients, the others on those of each class; ``auc_<class>`` on those of
    the class and on the rest.
    """
    labels, probs = class_probs(rows)
    patients = [row['patient'] for row in rows]
    names, owner = np.unique(patients, return_inverse=True)
    by_slice = ClassificationScores(labels, probs)
    classes, probs_of_patients = patient_probs(labels, probs, patients)
    by_patient = ClassificationScores(classes, probs_of_patients)

    def score(weights: np.ndarray) -> dict[str, float]:
        return {f'{k}_slice': v for k, v in by_slice(weights[owner]).items()} | {
            f'{k}_patient': v for k, v in by_patient(weights).items()
        }

    ranks = np.unique(classes, return_inverse=True)[1]

    def group(name: str) -> np.ndarray:
        if name.startswith('accuracy'):
            return np.zeros(len(names), int)
        one = [k for k, label in enumerate(CLASSES) if name.startswith(f'auc_{label}_')]
        return (classes == one[0]).astype(int) if one else ranks

    groups = {name: group(name) for name in score(np.ones(len(names)))}
    return PatientScore(score, tuple(names.tolist()), groups)


SCORES: dict[str, Callable[[Rows], PatientScore]] = {
    'seg': infection_patient_score,
    'cls': diagnosis_score,
}
"""How the rows of a metric are scored, by the prefix of the metric."""


def _number(cell: str | float) -> float:
    return float('nan' if cell == '' else cell)
