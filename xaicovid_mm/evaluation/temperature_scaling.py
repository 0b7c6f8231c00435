"""Temperature scaling of class probabilities, and how far they are from accuracy.

Not in the paper. This is unrelated to the calibration of pseudo labels in ``models.calibration``.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

TINY = 1e-12
BINS = 15
RANGE = (0.05, 20.0)
"""Temperatures that are tried. A fit at one end means that the probabilities carry no signal."""


class Bin(NamedTuple):
    """The items whose confidence (highest class probability) falls into one interval.

    Attributes:
        confidence: Mean confidence, in [0, 1].
        accuracy: Share of correct classes, in [0, 1].
        number: Number of items.
    """

    confidence: float
    accuracy: float
    number: int


def apply_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of class probabilities (N, C) by a temperature; returns (N, C).

    The logits are recovered from the probabilities up to a constant, which cancels.

    Raises:
        ValueError: If the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f'temperature={temperature} must be above 0')
    return np.exp(_log_probs(probs, temperature))


def fit_temperature(probs: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature in ``RANGE`` with the lowest negative log-likelihood.

    Args:
        probs: (N, C) class probabilities of slices or patients not used in training.
        labels: (N,) true classes.

    Raises:
        ValueError: If there are no items.
    """
    if not len(labels):
        raise ValueError('no item with a known class: a temperature cannot be fitted')
    rows = np.arange(len(labels))

    def cost(log_temperature: float) -> float:
        return -_log_probs(probs, np.exp(log_temperature))[rows, labels].mean()

    best = minimize_scalar(cost, bounds=np.log(RANGE), method='bounded', options=dict(xatol=1e-6))
    return float(np.exp(best.x))


def reliability(probs: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Return the bins of a reliability diagram that are not empty, lowest confidence first.

    Args:
        probs: (N, C) class probabilities.
        labels: (N,) true classes.
        bins: Number of intervals of equal width over [0, 1].
    """
    probs = np.asarray(probs, float)
    confidence, is_right = probs.max(1), probs.argmax(1) == np.asarray(labels)
    bin_of = np.clip((confidence * bins).astype(int), 0, bins - 1)
    return [
        Bin(float(confidence[rows].mean()), float(is_right[rows].mean()), int(rows.sum()))
        for rows in (bin_of == number for number in range(bins))
        if rows.any()
    ]


def expected_calibration_error(probs: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Return the mean gap between confidence and accuracy, in [0, 1], bins weighted by size.

    Takes the arguments of ``reliability``.
    """
    parts = reliability(probs, labels, bins)
    return sum(b.number * abs(b.confidence - b.accuracy) for b in parts) / len(labels)


def _log_probs(probs: np.ndarray, temperature: float) -> np.ndarray:
    logits = np.log(np.clip(np.asarray(probs, float), TINY, None)) / temperature
    return logits - logsumexp(logits, axis=1, keepdims=True)
