"""What can be told of a scan that is windowed already: less than of one in HU."""

from collections.abc import Iterator

import numpy as np

from .chest import odd_lungs, slice_issues
from .issue import QualityIssue
from .value_range import ORIGINAL

MIN_DEVIATION = 5
"""Of a slice that shows something; BLANK_HU through a lung window of 1500 HU is 10."""


def display_issues(
    values: np.ndarray, spacing_mm: tuple[float, float, float], lung: np.ndarray | None
) -> list[QualityIssue]:
    """All that is wrong or odd about a scan in display values; that it is a chest is believed.

    Args:
        values: (Z, Y, X), upright, as read.
        spacing_mm: (z, y, x).
        lung: bool (Z, Y, X), as given; no threshold finds lungs in display values.
    """
    found = [*_values(values), *slice_issues(values, spacing_mm[0], MIN_DEVIATION)]
    if lung is None:
        text = 'display values without a lung mask: no threshold finds lungs among them'
        return [*found, QualityIssue('no lung mask', text, 'give a lung mask in the table')]
    return [*found, *odd_lungs(lung, values, spacing_mm)]


def _values(values: np.ndarray) -> Iterator[QualityIssue]:
    low, high = float(values.min()), float(values.max())
    said = dict(low=low, high=high)
    if low < 0 or high > 255:
        text = f'values from {low:.6g} to {high:.6g} are no display values, which are 0 to 255'
        yield QualityIssue('no display', text, 'prepare it with --intensity hu', values=said)
    elif high <= 1:
        text = f'values from {low:.6g} to {high:.6g} are a mask, or normalised'
        yield QualityIssue('unit range', text, ORIGINAL, values=said)
