"""From the slices of a patient to the patient; the paper gives no rule."""

from collections.abc import Callable

import numpy as np

TOP_SHARE = 0.1
"""Share of a patient's slices, at least one, that speak for a class in ``top_k``."""


def aggregate(probs: np.ndarray, how: str = 'mean') -> np.ndarray:
    """Class probabilities (C,) of a patient from those of its slices (N, C).

    'mean' is the mean over slices. The others look, class by class, at the slices that show it
    most, and are scaled to sum 1: 'max' at the one, 'top_k' at the mean of a tenth, 'noisy_or' at
    the chance that at least one shows it, slices taken as independent, which they are not.

    Raises:
        ValueError: For another ``how``, or no slices.
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


def _top(probs: np.ndarray) -> np.ndarray:
    count = max(round(TOP_SHARE * len(probs)), 1)
    return np.sort(probs, axis=0)[-count:].mean(0)


AGGREGATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'mean': lambda probs: probs.mean(0),
    'max': lambda probs: probs.max(0),
    'top_k': _top,
    'noisy_or': lambda probs: 1 - np.prod(1 - probs, axis=0),
}
