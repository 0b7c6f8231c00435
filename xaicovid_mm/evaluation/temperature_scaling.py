"""Temperature scaling of class probabilities.

Not in the paper. This is unrelated to the calibration of pseudo labels in ``models.calibration``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

TINY = 1e-12
RANGE = (0.25, 10.0)
"""Temperatures that are tried. A fit at one end is none: all items are right, or all are wrong."""
MIN_PATIENTS = 10
"""With fewer, one patient decides the temperature."""
MIN_PER_CLASS = 2
"""Patients of each of at least two classes."""


class TemperatureFit(NamedTuple):
    """A temperature, or why there is none.

    Attributes:
        temperature: 1 if none could be fitted.
        reason: Why there is none; empty if there is one.
    """

    temperature: float
    reason: str


def apply_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of class probabilities (N, C) by a temperature; returns (N, C).

    The logits are recovered from the probabilities up to a constant, which cancels.

    Raises:
        ValueError: If the temperature is not above 0, or a probability is not finite.
    """
    if not temperature > 0:
        raise ValueError(f'temperature={temperature} must be above 0')
    return softmax(_logits(probs) / temperature, axis=1)


def fit_temperature(probs: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature in ``RANGE`` with the lowest negative log-likelihood.

    It is not judged, see ``patient_fit``.

    Args:
        probs: (N, C) class probabilities of slices or patients not used in training.
        labels: (N,) true classes.

    Raises:
        ValueError: If there are no items, or a probability is not finite.
    """
    if not len(labels):
        raise ValueError('no item with a known class: a temperature cannot be fitted')
    rows, logits = np.arange(len(labels)), _logits(probs)

    def cost(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return (logsumexp(scaled, axis=1) - scaled[rows, labels]).mean()

    best = minimize_scalar(cost, bounds=np.log(RANGE), method='bounded', options=dict(xatol=1e-6))
    return float(np.exp(best.x))


def patient_fit(probs: np.ndarray, labels: np.ndarray, patients: Sequence) -> TemperatureFit:
    """Fit a temperature if the patients can tell one.

    Args:
        probs: (N, C) class probabilities of slices or patients not used in training.
        labels: (N,) true classes.
        patients: (N,) patient of each item.
    """
    names, first = np.unique(np.asarray(patients), return_index=True)
    per_class = np.bincount(np.asarray(labels, int)[first], minlength=np.shape(probs)[1])
    reason = ''
    if len(names) < MIN_PATIENTS:
        reason = f'{len(names)} patients, at least {MIN_PATIENTS} are needed'
    elif (per_class >= MIN_PER_CLASS).sum() < 2:
        counts = ', '.join(map(str, per_class))
        reason = f'{counts} patients by class, two classes with {MIN_PER_CLASS} each are needed'
    else:
        temperature = fit_temperature(probs, labels)
        ends = np.isclose(np.log(temperature), np.log(RANGE), atol=0.01)
        if not ends.any():
            return TemperatureFit(temperature, '')
        wrong = int((np.argmax(probs, 1) != labels).sum())
        reason = (
            f'the best temperature lies at or beyond {RANGE[int(ends[1])]:g}, the end of the range '
            f'({wrong} of {len(labels)} are wrong)'
        )
    return TemperatureFit(1.0, reason)


def left_out_probs(probs: np.ndarray, labels: np.ndarray, patients: Sequence) -> np.ndarray:
    """Scale the probabilities (N, C) of each patient by a temperature fitted on all others.

    Takes the arguments of ``patient_fit``. So the scaled probabilities can be scored on the same
    patients. With a single patient nothing is scaled.
    """
    probs, labels, scaled = np.asarray(probs, float), np.asarray(labels), np.array(probs, float)
    owner = np.unique(np.asarray(patients), return_inverse=True)[1]
    for patient in range(owner.max() + 1 if owner.max() else 0):
        mine = owner == patient
        scaled[mine] = apply_temperature(probs[mine], fit_temperature(probs[~mine], labels[~mine]))
    return scaled


def _logits(probs: np.ndarray) -> np.ndarray:
    probs = np.asarray(probs, float)
    if bad := int((~np.isfinite(probs)).any(-1).sum()):
        raise ValueError(
            f'{bad} of {len(probs)} rows of class probabilities are not finite, so there is no '
            'confidence: the network gives no numbers, look for the step at which its loss diverged'
        )
    return np.log(np.clip(probs, TINY, None))
