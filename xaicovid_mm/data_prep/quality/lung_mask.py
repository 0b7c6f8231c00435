"""Signs that a lung mask is wrong."""

import numpy as np
from skimage.filters import threshold_otsu

MIN_LUNG_ML = 200  # an adult's lungs hold litres
MIN_RATIO = 0.7  # of the smaller lung to the larger one; healthy ones are near 0.87
JUMP = (0.15, 0.035)  # share of the largest area: at once, and per mm between slices


def lung_flags(
    mask: np.ndarray, scan: np.ndarray, spacing_mm: tuple[float, float, float]
) -> list[str]:
    """Say what is odd about a lung mask: no lung, one lung, an area that jumps.

    Not in the paper. Lungs lost to dense disease show as unequal ones unless both lose alike;
    a lung that really is small or away is flagged as well. The limits hold for adults.

    Args:
        mask: (Z, Y, X), columns from the patient's right to left.
        scan: Likewise, in HU or display values; it tells where the middle of the body is.
        spacing_mm: (z, y, x).

    Returns:
        A sentence each, with the value and the limit; empty where nothing is odd.
    """
    ml = float(mask.sum() * np.prod(spacing_mm) / 1000)
    if ml < MIN_LUNG_ML:
        return [f'no lung: {ml:.0f} ml, at least {MIN_LUNG_ML} expected']
    return [*_unequal(mask, scan), *_jumps(mask, spacing_mm[0])]


def _unequal(mask: np.ndarray, scan: np.ndarray) -> list[str]:
    tissue = (scan > threshold_otsu(scan)).sum((0, 1))
    middle = round(float(np.average(np.arange(len(tissue)), weights=tissue)))
    sides = {'right': int(mask[..., :middle].sum()), 'left': int(mask[..., middle:].sum())}
    smaller = min(sides, key=lambda side: sides[side])
    ratio = sides[smaller] / max(sides.values())
    if ratio >= MIN_RATIO:
        return []
    return [
        f'one lung: the {smaller} one has {ratio:.2f} of the other, at least {MIN_RATIO} expected'
    ]


def _jumps(mask: np.ndarray, step_mm: float) -> list[str]:
    area = mask.sum((1, 2)) / mask.sum((1, 2)).max()
    gap = np.abs(area[1:-1] - (area[:-2] + area[2:]) / 2)
    limit = JUMP[0] + JUMP[1] * step_mm
    return [
        f'area jumps at slice {z}: {gap[z - 1]:.2f} of the largest, at most {limit:.2f} expected'
        for z in np.flatnonzero(gap > limit) + 1
    ]
