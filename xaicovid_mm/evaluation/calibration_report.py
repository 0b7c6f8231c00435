"""How well confidence matches accuracy, before and after temperature scaling. Not in the paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .aggregation import AGGREGATIONS
from .calibration_error import (
    adaptive_calibration_error,
    expected_calibration_error,
    reliability,
)
from .classification_scores import classification_scores, patient_probs
from .slice_scores import Rows, class_probs
from .temperature_scaling import TemperatureFit, left_out_probs, patient_fit


def calibration_report(
    rows: Rows, aggregation: str = 'mean', *, no_fit: str = ''
) -> dict[str, Any]:
    """Fit a temperature for slices and one for patients, and compare the ways to a patient.

    A patient's probabilities are the aggregated ones of the slices, as trained, and then scaled.
    Errors after scaling are of patients whose own slices did not take part in the fit (leave one
    patient out).

    Args:
        rows: Rows of ``DiagnosisMetric``, of validation patients or with ``no_fit``.
        aggregation: How slices are combined to a patient, see ``aggregate``.
        no_fit: Why these patients may choose no temperature; empty: they may.

    Returns:
        ``temperature`` of slices and ``patient_temperature``, each 1 if it could not be fitted;
        ``calibrated``, whether that of patients could, and ``reason`` if not; ``slices`` with their
        ``number``, ``reason`` and the expected calibration error ``ece_before`` and ``ece_after``
        scaling, the adaptive ``ace_before`` and ``ace_after`` (each None where there are too few
        items to measure it), and ``reliability`` (confidence, share right and number of each bin,
        as trained); ``patients`` with their ``number`` and, for
        each aggregation, ``accuracy``, ``auc_macro`` (where defined), ``temperature`` and the same
        errors.

    Raises:
        ValueError: If there are no rows, or a patient has slices of two classes.
    """
    if not rows:
        raise ValueError('no slice with a known class: confidence cannot be measured')
    labels, probs = class_probs(rows)
    names = [row['patient'] for row in rows]
    fit = _fit(probs, labels, names, no_fit)
    by_aggregation = {
        how: _patient_scores(labels, probs, names, how, no_fit) for how in AGGREGATIONS
    }
    chosen = by_aggregation[aggregation]
    return dict(
        temperature=fit.temperature,
        patient_temperature=chosen['temperature'],
        calibrated=not chosen['reason'],
        reason=chosen['reason'],
        slices=dict(number=len(labels), reason=fit.reason, **_errors(probs, labels, names, no_fit)),
        patients=dict(number=len(set(names)), **by_aggregation),
    )


def _patient_scores(
    labels: np.ndarray, probs: np.ndarray, names: list[str], how: str, no_fit: str
) -> dict[str, Any]:
    labels, probs = patient_probs(labels, probs, names, how)
    patients, scores = range(len(labels)), classification_scores(labels, probs)
    kept = {name: scores[name] for name in ('accuracy', 'auc_macro') if name in scores}
    fit = _fit(probs, labels, patients, no_fit)
    return kept | fit._asdict() | _errors(probs, labels, patients, no_fit)


def _fit(probs: np.ndarray, labels: np.ndarray, patients: Sequence, no_fit: str) -> TemperatureFit:
    return TemperatureFit(1.0, no_fit) if no_fit else patient_fit(probs, labels, patients)


def _errors(
    probs: np.ndarray, labels: np.ndarray, patients: Sequence, no_fit: str
) -> dict[str, Any]:
    others = len(set(patients)) > 1 and not no_fit  # a temperature of others needs some
    scaled = left_out_probs(probs, labels, patients) if others else None
    return dict(
        ece_before=expected_calibration_error(probs, labels),
        ece_after=None if scaled is None else expected_calibration_error(scaled, labels),
        ace_before=adaptive_calibration_error(probs, labels),
        ace_after=None if scaled is None else adaptive_calibration_error(scaled, labels),
        reliability=[tuple(part) for part in reliability(probs, labels)],
    )
