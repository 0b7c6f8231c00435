"""Whether a map says anything at all."""

import numpy as np

OK, FLAT, NOT_FINITE, SATURATED, NO_LUNG = 'ok', 'flat', 'not_finite', 'saturated', 'no_lung'
FAULTS = (FLAT, NOT_FINITE, SATURATED, NO_LUNG)
RELATIVE_RANGE = 1e-6
"""A map whose range is at most this share of its largest magnitude is flat."""
SATURATED_SHARE = 0.5
"""A map of which at least this share of the pixels has the largest value is saturated."""


def map_status(values: np.ndarray) -> str:
    """Return the state of the map of one slice: ``OK`` or one of ``FAULTS``.

    A flat map is scored as a blank one. One that is not finite has no scores.

    Args:
        values: (N,) of the pixels inside the lungs, any unit.
    """
    if not len(values):
        return NO_LUNG
    if not np.isfinite(values).all():
        return NOT_FINITE
    largest = values.max()
    if largest - values.min() <= RELATIVE_RANGE * np.abs(values).max():
        return FLAT
    return SATURATED if (values == largest).mean() >= SATURATED_SHARE else OK
