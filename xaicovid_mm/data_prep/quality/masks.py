"""Is a mask drawn on this scan, and drawn right?"""

from collections.abc import Iterator

import numpy as np

from .issue import REFUSED, WARNING, QualityIssue

OUTER_HU = -930  # lung that a small field of view leaves open is denser
MOST_AIR = 0.05
WRONG_AIR = 0.2
MOST_OUTSIDE = 0.1


def mask_issues(
    column: str, mask: np.ndarray, outer_air: np.ndarray | None
) -> Iterator[QualityIssue]:
    """Findings on one mask.

    Args:
        column: 'infection' or 'lung'.
        mask: (Z, Y, X), values as read.
        outer_air: bool (Z, Y, X), what lies around the body; None if the scan is not in HU.
    """
    levels = np.unique(mask)
    if not np.isin(levels, (0, 1)).all():
        shown = ', '.join(f'{level:g}' for level in levels[:8]) + ', ...' * (len(levels) > 8)
        text = f'{column} has the values {shown}, 0 and 1 expected'
        remedy = 'whatever is above 0 counts: make 0 of the rest'
        yield QualityIssue('mask values', text, remedy, WARNING, dict(values=len(levels)))
    inside = mask > 0
    if not inside.any():
        remedy = f'leave {column} empty in the table if nobody has drawn it'
        yield QualityIssue('empty mask', f'{column} has no voxel', remedy, WARNING)
    elif outer_air is not None:
        yield from _in_air(column, float(outer_air[inside].mean()))


def infection_outside(infection: np.ndarray, lung: np.ndarray) -> Iterator[QualityIssue]:
    """A finding if much of an infection (Z, Y, X) lies outside of the lungs that were given."""
    inside = infection > 0
    share = float((inside & ~lung).sum() / max(inside.sum(), 1))
    if share > MOST_OUTSIDE:
        text = f'{share:.0%} of infection lie outside of lung, at most {MOST_OUTSIDE:.0%} expected'
        remedy = 'look at both masks: they may be flipped or of another scan'
        yield QualityIssue('infection outside', text, remedy, WARNING, dict(share=share))


def _in_air(column: str, share: float) -> Iterator[QualityIssue]:
    if share > MOST_AIR:
        text = f'{share:.0%} of {column} lie outside of the body, at most {MOST_AIR:.0%} expected'
        remedy = 'look at the mask: it may be flipped or of another scan'
        severity = REFUSED if share > WRONG_AIR else WARNING
        yield QualityIssue('mask outside', text, remedy, severity, dict(share=share))
