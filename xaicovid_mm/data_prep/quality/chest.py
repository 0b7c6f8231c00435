"""Is a scan in HU a chest, whole and fit to be read?"""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import minimum_filter, uniform_filter

from .issue import REFUSED, WARNING, QualityIssue
from .lung_mask import MIN_LUNG_ML, lung_flags

MIN_SLICES = 5
THICK_MM = 10.0
BLANK_HU = 60
"""Deviation of a slice that shows nothing; of one with a body it is some 450."""
GAS_HU, DENSE_HU = -960, -500
LUNG_LITRES = (1.0, 10.0)
END_SHARE = 0.35
"""A first or last slice with more lung than this share of the largest cuts the lungs off."""
EDGE_CM2 = 5.0


def chest_issues(
    hu: np.ndarray, spacing_mm: tuple[float, float, float], lung: np.ndarray
) -> list[QualityIssue]:
    """Findings on slices, field of view and lungs. The limits hold for adults.

    Args:
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).
        lung: bool (Z, Y, X).
    """
    found = [*slice_issues(hu, spacing_mm[0])]
    ml = float(lung.sum() * np.prod(spacing_mm) / 1000)
    if ml < MIN_LUNG_ML:
        return [*found, *_edge(hu, spacing_mm), _no_lungs(ml)]
    median = float(np.median(hu[lung]))
    if median < GAS_HU:
        text = f'the lungs are gas: median {median:.0f} HU, {GAS_HU} to {DENSE_HU} expected'
        return [
            *found,
            QualityIssue('gas', text, 'give a scan of a chest', values=dict(median=median)),
        ]
    return [*found, *_lungs(lung, spacing_mm, ml / 1000, median), *odd_lungs(lung, hu, spacing_mm)]


def _no_lungs(ml: float) -> QualityIssue:
    text = (
        f'{ml:.0f} ml of lung enclosed by a body, at least {MIN_LUNG_ML} expected: not a chest, or '
        'its lungs are open to an edge or to a blank slice'
    )
    remedy = 'give a scan of a whole chest, or a lung mask if it is one'
    return QualityIssue('no lungs', text, remedy, values=dict(ml=ml))


def slice_issues(
    hu: np.ndarray, step_mm: float, min_deviation: float = BLANK_HU
) -> Iterator[QualityIssue]:
    """Too few slices, too far apart, or some that show nothing.

    Args:
        hu: (Z, Y, X), or display values.
        step_mm: From slice to slice.
        min_deviation: A slice with less shows nothing.
    """
    if len(hu) < MIN_SLICES:
        text = f'{len(hu)} slices, at least {MIN_SLICES} expected'
        yield QualityIssue('few slices', text, 'give the whole scan', values=dict(slices=len(hu)))
    if step_mm > THICK_MM:
        text = f'slices lie {step_mm:.1f} mm apart, at most {THICK_MM:.0f} expected'
        remedy = 'take thinner slices where there are any: small foci lie between these'
        yield QualityIssue('thick slices', text, remedy, WARNING, dict(mm=step_mm))
    blank = np.array([plane.std(dtype=np.float32) < min_deviation for plane in hu])
    if blank.any():
        yield _blank(blank)


def _blank(blank: np.ndarray) -> QualityIssue:
    shown = np.flatnonzero(~blank)
    inner = len(shown) == 0 or bool(blank[shown[0] : shown[-1]].any())
    numbers = np.flatnonzero(blank).tolist()
    listed = ', '.join(map(str, numbers[:10])) + (' and more' if len(numbers) > 10 else '')
    text = f'of {len(blank)} slices these show nothing: {listed} (0 is at the foot)'
    remedy = 'export the scan again' if inner else 'leave them out'
    severity = REFUSED if inner else WARNING
    return QualityIssue('blank slices', text, remedy, severity, dict(slices=len(numbers)))


def _lungs(
    lung: np.ndarray, spacing_mm: tuple[float, float, float], litres: float, median: float
) -> Iterator[QualityIssue]:
    low, high = LUNG_LITRES
    if not low <= litres <= high:
        text = f'{litres:.1f} l of lung, {low:.0f} to {high:.0f} expected'
        yield QualityIssue('lung volume', text, 'look at the lungs', WARNING, dict(litres=litres))
    if median > DENSE_HU:
        text = f'the lungs have a median of {median:.0f} HU, {GAS_HU} to {DENSE_HU} expected'
        remedy = 'look at the lung mask: does it lie where the lungs are?'
        yield QualityIssue('dense lungs', text, remedy, WARNING, dict(median=median))
    areas = lung.sum((1, 2)) / lung.sum((1, 2)).max()
    for name, share in (('lowest', float(areas[0])), ('highest', float(areas[-1]))):
        if share > END_SHARE:
            text = f'the {name} slice has {share:.0%} of the largest lung area: lungs cut off'
            yield QualityIssue(
                f'{name} slice', text, 'give the whole chest', WARNING, dict(share=share)
            )
    z, y, x = spacing_mm
    faces = ((lung[:, 0], x), (lung[:, -1], x), (lung[:, :, 0], y), (lung[:, :, -1], y))
    yield from _cut(sum(float(face.sum()) * z * side for face, side in faces) / 100)


def odd_lungs(
    lung: np.ndarray, hu: np.ndarray, spacing_mm: tuple[float, float, float]
) -> Iterator[QualityIssue]:
    """The flags of a lung mask as findings, see ``lung_flags``."""
    for flag in lung_flags(lung, hu, spacing_mm):
        code, _, text = flag.partition(': ')
        yield QualityIssue(code.split(' at ')[0], flag, 'look at the lungs', WARNING)


def _edge(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Iterator[QualityIssue]:
    """Lungs that reach the front or a side are not enclosed and so not found."""
    z, y, x = spacing_mm
    step = max(round(4 / y), 1)
    small = uniform_filter(hu.astype(np.float32), (1, step, step))[:, ::step, ::step]
    size = [max(round(10 / mm) | 1, 1) for mm in (z, y * step, x * step)]
    dense = minimum_filter((small > -930) & (small < -600), size, mode='nearest')
    front, sides = dense[:, 0].sum() * x, (dense[:, :, 0] | dense[:, :, -1]).sum() * y
    yield from _cut(float(front + sides) * z * step / 100)


def _cut(cm2: float) -> Iterator[QualityIssue]:
    if cm2 > EDGE_CM2:
        text = f'{cm2:.0f} cm2 of lung lie at the edge of the field of view, which may cut them'
        remedy = 'give a reconstruction with a larger field of view'
        yield QualityIssue('field of view', text, remedy, WARNING, dict(cm2=cm2))
