"""How sure a model may be said to be: its temperature, and what aggregation does to patients."""

import numpy as np

from .aggregation import AGGREGATIONS
from .classification_scores import classification_scores, patient_probs
from .slice_scores import Rows, class_probs
from .temperature_scaling import expected_calibration_error, fit_temperature, with_temperature


def confidence_report(rows: Rows) -> dict:
    """Fit the temperature on slices and compare the ways from slices to a patient.

    Args:
        rows: Of ``DiagnosisMetric`` on validation patients.

    Returns:
        ``temperature``; ``slices`` with the calibration error ``ece_before`` and ``ece_after``
        and their number; ``patients``: by aggregation, ``accuracy``, ``auc_macro`` where it is
        defined and ``ece`` after the temperature, and their number.

    Raises:
        ValueError: If there are no rows.
    """
    labels, probs = class_probs(rows)
    temperature = fit_temperature(probs, labels)
    tempered = with_temperature(probs, temperature)
    slices = dict(
        number=len(labels),
        ece_before=expected_calibration_error(probs, labels),
        ece_after=expected_calibration_error(tempered, labels),
    )
    names = [row['patient'] for row in rows]
    by_patient = {how: _patients(labels, tempered, names, how) for how in AGGREGATIONS}
    patients = dict(number=len(set(names)), **by_patient)
    return dict(temperature=temperature, slices=slices, patients=patients)


def _patients(labels: np.ndarray, probs: np.ndarray, names: list[str], how: str) -> dict:
    true, found = patient_probs(labels, probs, names, how)
    scores = classification_scores(true, found)
    kept = {name: scores[name] for name in ('accuracy', 'auc_macro') if name in scores}
    return kept | {'ece': expected_calibration_error(found, true)}
