"""Check a scan in display values (8-bit, through a window). Less can be checked than in HU."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import binary_dilation

from .chest import slice_issues
from .issue import QualityIssue
from .lung_mask import lung_mask_issues
from .value_range import ORIGINAL

MAX_BRIGHTER = 30
"""How far lungs may be brighter than what is around them. Of 461 slices of 144 public cases none is
brighter at all: the most opaque ones are darker by 63."""
AROUND_PX = 4
LOOKED_AT = 16
MIN_DEVIATION = 5
"""Standard deviation of a slice that is not blank; ``BLANK_HU`` is 10 through a lung window."""


def display_issues(
    values: np.ndarray, spacing_mm: tuple[float, float, float], lung: np.ndarray | None
) -> list[QualityIssue]:
    """Find issues of a scan in display values. Whether it is a chest is not checked.

    Args:
        values: (Z, Y, X), upright, as read.
        spacing_mm: (z, y, x).
        lung: bool (Z, Y, X), as given; None is an issue, since no threshold finds lungs here.
    """
    issues = [*_value_issues(values), *slice_issues(values, spacing_mm[0], MIN_DEVIATION)]
    if lung is None:
        text = 'display values without a lung mask: no threshold finds lungs among them'
        return [*issues, QualityIssue('no lung mask', text, 'give a lung mask in the table')]
    return [*issues, *inverted_issues(values, lung), *lung_mask_issues(lung, values, spacing_mm)]


def inverted_issues(values: np.ndarray, lung: np.ndarray) -> Iterator[QualityIssue]:
    """Find out whether the lungs are brighter than what is around them, as in an inverted picture.

    Args:
        values: Display values (Z, Y, X).
        lung: bool (Z, Y, X). At most ``LOOKED_AT`` of the slices that have lung are looked at.
    """
    shown = np.flatnonzero(lung.any((1, 2)))
    chosen = shown[:: max(-(-len(shown) // LOOKED_AT), 1)]
    within = lung[chosen]
    around = binary_dilation(within, np.ones((1, 3, 3), bool), AROUND_PX) & ~within
    if not around.any():
        return
    inside, outside = (float(np.median(values[chosen][part])) for part in (within, around))
    if inside > outside + MAX_BRIGHTER:
        text = (
            f'the lungs are brighter than what is around them, median {inside:.0f} and '
            f'{outside:.0f}: the picture is inverted, or the mask is not of the lungs'
        )
        remedy = 'replace each value v by 255 - v, or correct the lung mask'
        numbers = dict(inside=inside, outside=outside)
        yield QualityIssue('inverted', text, remedy, values=numbers)


def _value_issues(values: np.ndarray) -> Iterator[QualityIssue]:
    low, high = float(values.min()), float(values.max())
    numbers = dict(low=low, high=high)
    if low < 0 or high > 255:
        text = f'values from {low:.6g} to {high:.6g} are no display values, which are 0 to 255'
        yield QualityIssue('no display', text, 'prepare it with --intensity hu', values=numbers)
    elif high <= 1:
        text = f'values from {low:.6g} to {high:.6g} are a mask, or normalised'
        yield QualityIssue('unit range', text, ORIGINAL, values=numbers)
