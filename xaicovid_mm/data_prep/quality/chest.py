"""Check that a scan in HU shows a whole adult chest."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import minimum_filter, uniform_filter

from ...utils.words import counted
from .issue import REFUSED, WARNING, QualityIssue, refusals
from .lung_mask import MIN_LITRES, MIN_LUNG_ML, lung_mask_issues, relative_areas, volume_issue

MIN_SLICES = 5
THICK_MM = 10.0
BLANK_HU = 60
"""A slice with a smaller standard deviation is blank; one that shows a body has about 450."""
GAS_HU, DENSE_HU = -960, -500
"""Range of the median of the lungs."""
MAX_END_SHARE = 0.35
"""If the first or last slice has more of the largest lung area, the scan cuts the lungs off."""
MAX_EDGE_CM2 = 5.0
"""Lung surface that may lie on the sides of the field of view."""
MAX_LISTED_SLICES = 10


def chest_issues(
    hu: np.ndarray, spacing_mm: tuple[float, float, float], lung: np.ndarray
) -> list[QualityIssue]:
    """Find issues of the slices, the field of view and the lungs. The limits hold for adults.

    Args:
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).
        lung: bool (Z, Y, X).
    """
    issues = [*slice_issues(hu, spacing_mm[0])]
    found = lung_issues(lung, hu, spacing_mm)
    if any(issue.code == 'no lungs' for issue in found):
        return [*issues, *_lung_at_edge(hu, spacing_mm), *found]
    if refusals(found):
        return [*issues, *found]
    return [*issues, *_little(lung, spacing_mm), *_cut_off(lung, spacing_mm), *found]


def lung_issues(
    lung: np.ndarray, hu: np.ndarray, spacing_mm: tuple[float, float, float]
) -> list[QualityIssue]:
    """Find out whether lungs have the density of lungs, and ``lung_mask_issues``.

    Args:
        lung: bool (Z, Y, X).
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).
    """
    ml = float(np.count_nonzero(lung) * np.prod(spacing_mm) / 1000)
    if ml < MIN_LUNG_ML:
        return [_no_lungs(ml)]
    median = float(np.median(hu[lung]))
    if median < GAS_HU:
        return [_gas(median)]
    return [*_dense(median), *lung_mask_issues(lung, hu, spacing_mm)]


def slice_issues(
    values: np.ndarray, step_mm: float, min_deviation: float = BLANK_HU
) -> Iterator[QualityIssue]:
    """Find too few slices, slices too far apart, and blank slices.

    Args:
        values: (Z, Y, X), HU or display values.
        step_mm: From slice to slice.
        min_deviation: A slice with a smaller standard deviation is blank.
    """
    if len(values) < MIN_SLICES:
        text = f'{counted(len(values), "slice")}, at least {MIN_SLICES} expected'
        numbers = dict(slices=len(values))
        yield QualityIssue('few slices', text, 'give the whole scan', values=numbers)
    if step_mm > THICK_MM:
        text = f'slices lie {step_mm:.1f} mm apart, at most {THICK_MM:.0f} expected'
        remedy = 'take thinner slices where there are any: small foci lie between these'
        yield QualityIssue('thick slices', text, remedy, WARNING, dict(mm=step_mm))
    blank = np.array([_is_blank(plane, min_deviation) for plane in values])
    if blank.any():
        yield _blank(blank)


def _is_blank(plane: np.ndarray, min_deviation: float) -> bool:
    """Whether the standard deviation of a slice (Y, X) is too small.

    It is at least a quarter of that of every fourth row and column, which mostly is enough.
    """
    if plane[::4, ::4].std(dtype=np.float32) > 4.01 * min_deviation:
        return False
    return bool(plane.std(dtype=np.float32) < min_deviation)


def _blank(blank: np.ndarray) -> QualityIssue:
    """Blank slices at the ends are a warning; between others, or if all are, a refusal."""
    filled = np.flatnonzero(~blank)
    inner = len(filled) == 0 or bool(blank[filled[0] : filled[-1]].any())
    numbers = np.flatnonzero(blank).tolist()
    listed = ', '.join(map(str, numbers[:MAX_LISTED_SLICES]))
    listed += ' and more' * (len(numbers) > MAX_LISTED_SLICES)
    text = f'of {len(blank)} slices these show nothing: {listed} (0 is at the foot)'
    remedy = 'export the scan again' if inner else 'leave them out'
    severity = REFUSED if inner else WARNING
    return QualityIssue('blank slices', text, remedy, severity, dict(slices=len(numbers)))


def _no_lungs(ml: float) -> QualityIssue:
    text = (
        f'{ml:.0f} ml of lung enclosed by a body, at least {MIN_LUNG_ML} expected: not a chest, or '
        'its lungs are open to an edge or to a blank slice'
    )
    remedy = 'give a scan of a whole chest, or a lung mask if it is one'
    return QualityIssue('no lungs', text, remedy, values=dict(ml=ml))


def _gas(median: float) -> QualityIssue:
    text = f'the lungs are gas: median {median:.0f} HU, {GAS_HU} to {DENSE_HU} expected'
    return QualityIssue('gas', text, 'give a scan of a chest', values=dict(median=median))


def _little(lung: np.ndarray, spacing_mm: tuple[float, float, float]) -> Iterator[QualityIssue]:
    litres = float(np.count_nonzero(lung) * np.prod(spacing_mm) / 1e6)
    if litres < MIN_LITRES:
        yield volume_issue(litres)


def _dense(median: float) -> Iterator[QualityIssue]:
    if median > DENSE_HU:
        text = f'the lungs have a median of {median:.0f} HU, {GAS_HU} to {DENSE_HU} expected'
        remedy = 'look at the lung mask: does it lie where the lungs are?'
        yield QualityIssue('dense lungs', text, remedy, WARNING, dict(median=median))


def _cut_off(lung: np.ndarray, spacing_mm: tuple[float, float, float]) -> Iterator[QualityIssue]:
    """Lungs (Z, Y, X) that the first or last slice or a side of the field of view cuts."""
    areas = relative_areas(lung)
    for name, share in (('lowest', float(areas[0])), ('highest', float(areas[-1]))):
        if share > MAX_END_SHARE:
            text = f'the {name} slice has {share:.0%} of the largest lung area: lungs cut off'
            remedy = 'give the whole chest'
            yield QualityIssue(f'{name} slice', text, remedy, WARNING, dict(share=share))
    z, y, x = spacing_mm
    sides = ((lung[:, 0], x), (lung[:, -1], x), (lung[:, :, 0], y), (lung[:, :, -1], y))
    mm2 = sum(float(side.sum()) * z * width for side, width in sides)
    yield from _field_of_view(mm2 / 100)


def _lung_at_edge(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Iterator[QualityIssue]:
    """Lung density at the front or a side: lungs that touch an edge are not found by threshold."""
    z, y, x = spacing_mm
    step = max(round(4 / y), 1)
    small = uniform_filter(hu.astype(np.float32), (1, step, step))[:, ::step, ::step]
    size = [max(round(10 / mm) | 1, 1) for mm in (z, y * step, x * step)]
    lung_like = minimum_filter((small > -930) & (small < -600), size, mode='nearest')
    front = lung_like[:, 0].sum() * x
    sides = (lung_like[:, :, 0] | lung_like[:, :, -1]).sum() * y
    yield from _field_of_view(float(front + sides) * z * step / 100)


def _field_of_view(cm2: float) -> Iterator[QualityIssue]:
    if cm2 > MAX_EDGE_CM2:
        text = f'{cm2:.0f} cm2 of lung lie at the edge of the field of view, which may cut them'
        remedy = 'give a reconstruction with a larger field of view'
        yield QualityIssue('field of view', text, remedy, WARNING, dict(cm2=cm2))
