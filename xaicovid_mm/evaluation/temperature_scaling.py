"""Does a confidence of 0.8 mean right in 8 of 10? Not in the paper."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

TINY = 1e-12
BINS = 15
RANGE = (0.05, 20.0)
"""Temperatures that are tried; a fit at an end of it says that the probabilities tell nothing."""


class Bin(NamedTuple):
    """Items whose highest probability falls into one interval: mean of it, share right, number."""

    confidence: float
    accuracy: float
    number: int


def with_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Class probabilities (N, C) with their logits divided by a temperature.

    Logits are known from probabilities up to a constant that cancels.

    Raises:
        ValueError: For a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f'temperature={temperature} must be above 0')
    return np.exp(_log_probs(probs, temperature))


def fit_temperature(probs: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of least negative log-likelihood, within ``RANGE``.

    Args:
        probs: (N, C) of patients or slices that training did not see.
        labels: (N,) true classes.

    Raises:
        ValueError: If there are none.
    """
    if not len(labels):
        raise ValueError('no item with a known class: a temperature cannot be fitted')
    rows = np.arange(len(labels))

    def cost(log_temperature: float) -> float:
        return -_log_probs(probs, np.exp(log_temperature))[rows, labels].mean()

    found = minimize_scalar(cost, bounds=np.log(RANGE), method='bounded', options=dict(xatol=1e-6))
    return float(np.exp(found.x))


def reliability(probs: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The bins of a reliability diagram that hold something, lowest first."""
    probs = np.asarray(probs, float)
    confidence, right = probs.max(1), probs.argmax(1) == np.asarray(labels)
    which = np.clip((confidence * bins).astype(int), 0, bins - 1)
    return [
        Bin(float(confidence[rows].mean()), float(right[rows].mean()), int(rows.sum()))
        for rows in (which == number for number in range(bins))
        if rows.any()
    ]


def expected_calibration_error(probs: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Mean gap between confidence and accuracy over bins of equal width, by their number."""
    parts = reliability(probs, labels, bins)
    return sum(b.number * abs(b.confidence - b.accuracy) for b in parts) / len(labels)


def _log_probs(probs: np.ndarray, temperature: float) -> np.ndarray:
    logits = np.log(np.clip(np.asarray(probs, float), TINY, None)) / temperature
    return logits - logsumexp(logits, axis=1, keepdims=True)
