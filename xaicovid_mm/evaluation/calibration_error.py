"""How far probabilities are from how often they come true. Not in the paper."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

BINS = 15
MIN_PER_BIN = 10
"""Items a bin, on average, under which there is no calibration error: that of a perfect model would
be of the order of 0.1 and more, as few items are never right by just their mean confidence."""


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


def calibration_error(gaps: ArrayLike, number: ArrayLike) -> float:
    """Return the mean gap between probability and frequency, in [0, 1], bins weighted by size.

    Args:
        gaps: (B,) how many items of a bin came true, less the sum of their probabilities.
        number: (N,) of items, by bin or finer.
    """
    return float(np.abs(gaps).sum() / np.sum(number))


def equal_mass_bins(number: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin (L,) of each level, from 0, so that bins hold about equal numbers of items.

    Args:
        number: (L,) of items at each level of probability, the lowest first. A level is not cut.
        bins: How many there are at most.
    """
    middle = (np.cumsum(number) - number / 2) / number.sum()
    return np.minimum((middle * bins).astype(int), bins - 1)


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


def expected_calibration_error(
    probs: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> float | None:
    """Return the mean gap between confidence and accuracy, in [0, 1], bins weighted by size.

    None with fewer than ``MIN_PER_BIN`` items for each bin that is not empty. Takes the arguments
    of ``reliability``.
    """
    parts = reliability(probs, labels, bins)
    if len(labels) < MIN_PER_BIN * max(len(parts), 1):
        return None
    gaps = [b.number * (b.accuracy - b.confidence) for b in parts]
    return calibration_error(gaps, [b.number for b in parts])


def adaptive_calibration_error(
    probs: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> float | None:
    """Return the same error over bins of about equal numbers of items instead of equal width.

    There are at most ``bins`` of them, of ``MIN_PER_BIN`` items or more; None if there are not two.
    Items of equal confidence share a bin. Takes the arguments of ``reliability``.
    """
    bins = min(bins, len(labels) // MIN_PER_BIN)
    if bins < 2:
        return None
    probs = np.asarray(probs, float)
    right = probs.argmax(1) == np.asarray(labels)
    confidence, level = np.unique(probs.max(1), return_inverse=True)
    number, hits = (np.bincount(level, weights) for weights in (None, right))
    gaps = np.bincount(equal_mass_bins(number, bins), hits - confidence * number)
    return calibration_error(gaps, number)
