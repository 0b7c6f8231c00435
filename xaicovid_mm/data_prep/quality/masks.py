"""Check that a mask has the values of a mask and lies where it should."""

from collections.abc import Iterator, Sequence

import numpy as np

from ...classes import CAP, CLASSES, NP
from ..load_case import CAUSE
from .issue import REFUSED, WARNING, QualityIssue
from .outer_air import MAX_OUTER_SHARE, OuterShare
from .value_counts import MAX_TABLE, ValueCounts

CLEAN = {'infection': (CLASSES[NP], CLASSES[CAP]), CAUSE: (CLASSES[NP],)}
"""Classes of which such a mask is empty: that of COVID-19 infection, and that of any disease."""
WRONG_OUTER_SHARE = 0.2
"""With more in the air around the body, the mask cannot belong to the scan."""
MAX_SHARE_OUTSIDE_LUNG = 0.01
"""Share of an infection mask that may lie outside of the lungs; masks by radiologists have less."""
MAX_SHARE_OF_LUNG = 0.9
"""Share of the lungs that may be infected; with more the infection mask is that of the lungs."""
MAX_LISTED_VALUES = 8
BLACK, WHITE = 32, 223
"""Noise of JPEG lies below the one around black, and above the other around white."""
MAX_FRACTION = 1e-3
"""How far a whole number may be off after a file's scaling."""
BINARY = ((0,), (1,), (0, 1), (255,), (0, 255))
"""Values of a mask that leave no doubt."""
SIDES = ((0, 1, 2), (1, 2), (0, 2), (2,))
"""Values of a lung mask that numbers the two lungs, as many programs do."""
RINGING = -128, 383
"""Resampling a mask of 0 and 255 by splines makes values within these; HU lie beyond."""
VALUES_REMEDY = 'say which values count with --{}-values'


def value_issues(
    column: str, values: np.ndarray, wanted: Sequence[int] | None = None
) -> Iterator[QualityIssue]:
    """Find out whether the values of a mask leave no doubt about which voxels count.

    Values 0 and 1, or 0 and 255, leave none. In a lung mask 1 and 2 are taken as the two lungs,
    with a warning. Any other whole numbers are a label map, whose user has to say what counts.
    Anything else is no mask: probabilities, ringing of a resampling by splines, noise of JPEG.

    Args:
        column: 'infection', 'lung' or 'cause'.
        values: Any shape, as read.
        wanted: Values that count, if the user has named them.
    """
    levels = _levels(values)
    if levels is None:
        yield _no_mask(column, values)
    elif _is_noise(levels):
        yield _no_mask(column, levels)
    elif wanted is not None or tuple(levels) in BINARY:
        return
    elif column == 'lung' and tuple(levels) in SIDES:
        text = f'{column} has the values {_listed(levels)}: 1 and 2 are taken as the two lungs'
        yield QualityIssue('label map', text, VALUES_REMEDY.format(column), WARNING)
    elif len(levels) > MAX_LISTED_VALUES and (levels[0] < 0 or levels[-1] > WHITE):
        yield _no_mask(column, levels)
    else:
        text = f'{column} has the values {_listed(levels)}, a label map: 0 and 1 expected'
        numbers = dict(values=len(levels))
        yield QualityIssue('label map', text, VALUES_REMEDY.format(column), values=numbers)


def mask_issues(
    column: str, mask: np.ndarray, outer_share: OuterShare | None, label: str = ''
) -> Iterator[QualityIssue]:
    """Find issues of one mask: no voxel at all, voxels outside of the body, or another class's.

    Args:
        column: 'infection', 'lung' or 'cause'.
        mask: bool (Z, Y, X).
        outer_share: Share of a mask in the air around the body; None if the scan is not in HU.
        label: Class of the case; empty if it is unknown.
    """
    clean = label in CLEAN.get(column, ())
    if not mask.any():
        if not clean:  # an empty mask is what such a case should have
            yield _empty(column, label)
        return
    if clean and column == 'infection':  # the cause may also be a planted shortcut
        count = np.count_nonzero(mask)
        text = f'infection has {count} voxels in a case of class {label}, which has none'
        remedy = 'correct the class, or leave infection empty'
        yield QualityIssue('infection of a clean class', text, remedy, WARNING, dict(voxels=count))
    if outer_share is not None:
        yield from _outside_body(column, outer_share(mask))


def infection_outside(infection: np.ndarray, lung: np.ndarray) -> Iterator[QualityIssue]:
    """Find out whether some of an infection mask lies outside of the lungs.

    What lies outside is black to the network, and is scored as missed.

    Args:
        infection: bool (Z, Y, X).
        lung: bool (Z, Y, X), given or found: a threshold loses dense lesions.
    """
    outside = np.count_nonzero(infection & ~lung)
    share = outside / max(np.count_nonzero(infection), 1)
    if share > MAX_SHARE_OUTSIDE_LUNG:
        text = (
            f'{share:.1%} of infection lie outside of lung, at most '
            f'{MAX_SHARE_OUTSIDE_LUNG:.0%} expected'
        )
        remedy = 'look at both masks: flipped, of another scan, or a lung mask without dense parts?'
        yield QualityIssue('infection outside', text, remedy, WARNING, dict(share=share))


def whole_lung_infected(infection: np.ndarray, lung: np.ndarray) -> Iterator[QualityIssue]:
    """Find out whether an infection mask is that of the lungs.

    Args:
        infection: bool (Z, Y, X).
        lung: bool (Z, Y, X), given or found.
    """
    share = np.count_nonzero(infection & lung) / max(np.count_nonzero(lung), 1)
    if share > MAX_SHARE_OF_LUNG:
        text = f'{share:.1%} of lung are infected, at most {MAX_SHARE_OF_LUNG:.0%} expected'
        remedy = 'look at infection: is it a mask of the lungs?'
        yield QualityIssue('whole lung infected', text, remedy, WARNING, dict(share=share))


def _outside_body(column: str, share: float) -> Iterator[QualityIssue]:
    if share > MAX_OUTER_SHARE:
        text = (
            f'{share:.0%} of {column} lie outside of the body, at most '
            f'{MAX_OUTER_SHARE:.0%} expected'
        )
        remedy = 'look at the mask: it may be flipped or of another scan'
        severity = REFUSED if share > WRONG_OUTER_SHARE else WARNING
        yield QualityIssue('mask outside', text, remedy, severity, dict(share=share))


def _levels(values: np.ndarray) -> np.ndarray | None:
    """The different values, ascending; None if one is no whole number."""
    if values.dtype.kind == 'f':
        whole = np.rint(values)
        lost = values.any() and not whole.any()  # a mask whose 1 was scaled to next to nothing
        if lost or np.abs(values - whole).max() > MAX_FRACTION:
            return None
        values = whole
    low, high = int(values.min()), int(values.max())
    if high - low <= 1:
        return np.unique([low, high])
    if high - low > MAX_TABLE:
        return np.unique(values)
    return low + ValueCounts.of((values - low).astype(np.int32)).levels


def _is_noise(levels: np.ndarray) -> bool:
    """Whether whole numbers are several near black and several near white, with none between."""
    dark, light = levels < BLACK, (levels > WHITE) & (levels < 256)
    return min(dark.sum(), light.sum()) > 1 and bool((dark | light).all())


def _no_mask(column: str, values: np.ndarray) -> QualityIssue:
    low, high = float(values.min()), float(values.max())
    levels = np.unique(values)
    if low < RINGING[0] or high > RINGING[1]:
        kind, remedy = 'the scan itself and no mask', f'give the {column} mask'
    elif low < 0 or (high > 1 and values.dtype.kind == 'f'):
        kind, remedy = 'resampled by splines', 'resample the mask by nearest neighbour'
    elif high <= 1:
        kind, remedy = 'probabilities', 'make 1 of 0.5 and above and 0 of the rest'
    elif _is_noise(levels):
        kind, remedy = 'a picture with noise, such as JPEG', 'make 1 of 128 and above, save as PNG'
    else:
        kind = 'a mask that was blurred or resampled'
        remedy = 'make it anew with 0 and 1, or make 1 of half of the largest value and above'
    text = (
        f'{column} has values from {low:g} to {high:g} with {_listed(levels)} between '
        f'them, 0 and 1 expected: probably {kind}'
    )
    return QualityIssue('mask values', text, remedy, values=dict(low=low, high=high))


def _listed(levels: np.ndarray) -> str:
    listed = ', '.join(f'{level:g}' for level in levels[:MAX_LISTED_VALUES])
    more = len(levels) - MAX_LISTED_VALUES
    return listed + f' and {more} more' * (more > 0)


def _empty(column: str, label: str) -> QualityIssue:
    which = f' in a case of class {label}' if column == 'infection' and label else ''
    remedy = f'leave {column} empty in the table if nobody has drawn it'
    return QualityIssue('empty mask', f'{column} has no voxel{which}', remedy, WARNING)
