"""How well confidence matches accuracy, before and after temperature scaling. Not in the paper."""

import numpy as np

from .aggregation import AGGREGATIONS
from .classification_scores import classification_scores, patient_probs
from .slice_scores import Rows, class_probs
from .temperature_scaling import apply_temperature, expected_calibration_error, fit_temperature


def calibration_report(rows: Rows) -> dict:
    """Fit a temperature on slices, and compare the aggregations from slices to a patient.

    Args:
        rows: Rows of ``DiagnosisMetric`` on validation patients.

    Returns:
        ``temperature``; ``slices`` with their ``number`` and the expected calibration error
        ``ece_before`` and ``ece_after`` scaling; ``patients`` with their ``number`` and, for each
        aggregation, ``accuracy``, ``auc_macro`` (where defined) and ``ece`` after scaling.

    Raises:
        ValueError: If there are no rows.
    """
    labels, probs = class_probs(rows)
    temperature = fit_temperature(probs, labels)
    scaled = apply_temperature(probs, temperature)
    slices = dict(
        number=len(labels),
        ece_before=expected_calibration_error(probs, labels),
        ece_after=expected_calibration_error(scaled, labels),
    )
    names = [row['patient'] for row in rows]
    by_aggregation = {how: _patient_scores(labels, scaled, names, how) for how in AGGREGATIONS}
    patients = dict(number=len(set(names)), **by_aggregation)
    return dict(temperature=temperature, slices=slices, patients=patients)


def _patient_scores(labels: np.ndarray, probs: np.ndarray, names: list[str], how: str) -> dict:
    labels, probs = patient_probs(labels, probs, names, how)
    scores = classification_scores(labels, probs)
    kept = {name: scores[name] for name in ('accuracy', 'auc_macro') if name in scores}
    return kept | {'ece': expected_calibration_error(probs, labels)}
