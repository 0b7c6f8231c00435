"""Check that a mask has the values of a mask and lies where it should."""

from collections.abc import Iterator

import numpy as np

from .issue import REFUSED, WARNING, QualityIssue

OUTER_HU = -930
"""Air around the body is below; lung at the edge of a small field of view is above."""
MAX_OUTER_SHARE = 0.05
"""Share of a mask that may lie in the air around the body."""
WRONG_OUTER_SHARE = 0.2
"""With more in the air around the body, the mask cannot belong to the scan."""
MAX_SHARE_OUTSIDE_LUNG = 0.1
"""Share of an infection mask that may lie outside of the lungs."""
MAX_LISTED_VALUES = 8


def mask_issues(
    column: str, mask: np.ndarray, outer_air: np.ndarray | None
) -> Iterator[QualityIssue]:
    """Find issues of one mask: odd values, no voxel at all, or voxels outside of the body.

    Args:
        column: 'infection' or 'lung'.
        mask: (Z, Y, X), values as read.
        outer_air: bool (Z, Y, X), the air around the body; None if the scan is not in HU.
    """
    levels = np.unique(mask)
    if not np.isin(levels, (0, 1)).all():
        listed = ', '.join(f'{level:g}' for level in levels[:MAX_LISTED_VALUES])
        listed += ', ...' * (len(levels) > MAX_LISTED_VALUES)
        text = f'{column} has the values {listed}, 0 and 1 expected'
        remedy = 'whatever is above 0 counts: make 0 of the rest'
        yield QualityIssue('mask values', text, remedy, WARNING, dict(values=len(levels)))
    inside = mask > 0
    if not inside.any():
        remedy = f'leave {column} empty in the table if nobody has drawn it'
        yield QualityIssue('empty mask', f'{column} has no voxel', remedy, WARNING)
    elif outer_air is not None:
        yield from _outside_body(column, float(outer_air[inside].mean()))


def infection_outside(infection: np.ndarray, lung: np.ndarray) -> Iterator[QualityIssue]:
    """Find out whether much of an infection mask lies outside of the lungs.

    Args:
        infection: (Z, Y, X), values as read.
        lung: bool (Z, Y, X), as given, not found by threshold: a threshold loses dense lesions.
    """
    inside = infection > 0
    share = float((inside & ~lung).sum() / max(inside.sum(), 1))
    if share > MAX_SHARE_OUTSIDE_LUNG:
        text = (
            f'{share:.0%} of infection lie outside of lung, at most '
            f'{MAX_SHARE_OUTSIDE_LUNG:.0%} expected'
        )
        remedy = 'look at both masks: they may be flipped or of another scan'
        yield QualityIssue('infection outside', text, remedy, WARNING, dict(share=share))


def _outside_body(column: str, share: float) -> Iterator[QualityIssue]:
    if share > MAX_OUTER_SHARE:
        text = (
            f'{share:.0%} of {column} lie outside of the body, at most '
            f'{MAX_OUTER_SHARE:.0%} expected'
        )
        remedy = 'look at the mask: it may be flipped or of another scan'
        severity = REFUSED if share > WRONG_OUTER_SHARE else WARNING
        yield QualityIssue('mask outside', text, remedy, severity, dict(share=share))
