"""From class probabilities of slices to those of a patient. Not in the paper."""

from collections.abc import Callable

import numpy as np

TOP_SHARE = 0.1
"""Share of a patient's slices, at least one, that ``top_k`` averages."""


def aggregate(probs: np.ndarray, how: str = 'mean') -> np.ndarray:
    """Combine the class probabilities of a patient's slices.

    'mean' averages over all slices. The other methods look at each class separately and scale the
    result to sum 1: 'max' takes the slice with the highest probability, 'top_k' the mean of the
    highest tenth, and 'noisy_or' the chance that at least one slice shows the class. 'noisy_or'
    treats slices as independent, which they are not.

    Args:
        probs: (N, C) probabilities of N slices.
        how: A name in ``AGGREGATIONS``.

    Returns:
        (C,) probabilities of the patient.

    Raises:
        ValueError: If ``how`` is unknown, or there are no slices.
    """
    check_aggregation(how)
    probs = np.asarray(probs, float)
    if not len(probs):
        raise ValueError('a patient without slices has no probabilities')
    scores = AGGREGATIONS[how](probs)
    return scores / scores.sum()


def check_aggregation(how: str) -> None:
    """Raise ValueError for a name that ``aggregate`` does not know."""
    if how not in AGGREGATIONS:
        raise ValueError(f'aggregation {how!r}: choose one of {sorted(AGGREGATIONS)}')


def top_count(number: int) -> int:
    """How many of a number of slices ``top_k`` averages."""
    return max(round(TOP_SHARE * number), 1)


def _mean_of_top(probs: np.ndarray) -> np.ndarray:
    return np.sort(probs, axis=0)[-top_count(len(probs)) :].mean(0)


AGGREGATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'mean': lambda probs: probs.mean(0),
    'max': lambda probs: probs.max(0),
    'top_k': _mean_of_top,
    'noisy_or': lambda probs: 1 - np.prod(1 - probs, axis=0),
}
