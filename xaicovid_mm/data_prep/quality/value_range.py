"""Recognise values that cannot be turned into HU: 8-bit images, normalised arrays, blank scans."""

import numpy as np

from .issue import QualityIssue
from .value_counts import ValueCounts

MIN_SPREAD = 300
"""HU from the 0.5th to the 99.5th percentile of a scan; noise alone stays below."""
EQUALISED_BITS = 7.05
"""Entropy of the grey values between black and white. Real slices have 6.3 to 6.9 through a lung
window, and 7.2 to 7.7 once equalised."""
ORIGINAL = 'give the scan as it was before'
DISPLAY = (
    'give it in HU; or prepare a store of display values with --intensity display, apart from '
    'scans in HU'
)


def not_ct(values: ValueCounts, low: float, high: float) -> QualityIssue | None:
    """Tell what values are if their range or spread shows that they are not HU.

    Args:
        values: A sample of the scan's values.
        low: Smallest value of the scan.
        high: Largest value of the scan.

    Returns:
        The issue, or None if the values may be HU.
    """
    if low == high:
        return _issue('constant', low, high, 'are all the same', 'export the scan again')
    if low >= -1 and high <= 1:
        text = 'are a mask, or normalised to [0, 1] or [-1, 1]'
        return _issue('unit range', low, high, text, ORIGINAL)
    mean, deviation = values.mean_and_deviation()
    if 0.5 < deviation < 2:
        text = f'with mean {mean:.2f} and deviation {deviation:.2f} are z-scores'
        return _issue('z-score', low, high, text, ORIGINAL, mean=mean, deviation=deviation)
    if low >= 0 and high <= 255 and deviation > 10:
        return _eight_bit(values, low, high)
    if high >= 2**16 - 1100 and low >= 0:
        text = 'are negative HU read as unsigned 16 bit'
        remedy = 'subtract 65536 from what is above 32767: read it as int16'
        return _issue('unsigned', low, high, text, remedy)
    return _no_contrast(values, low, high)


def _eight_bit(values: ValueCounts, low: float, high: float) -> QualityIssue:
    """A CT scan through a display window, equalised or not."""
    counts = np.bincount(values.levels.astype(np.uint8), values.counts, minlength=256)
    between = counts[1:255][counts[1:255] > 0] / max(counts[1:255].sum(), 1)
    bits = float(-(between * np.log2(between)).sum())
    extremes = float((counts[0] + counts[255]) / counts.sum())
    if bits > EQUALISED_BITS and extremes < 0.3:
        text = f'spread over {bits:.2f} of 8 bits are an equalised picture (CLAHE or the like)'
        return _issue('equalised', low, high, text, f'{ORIGINAL}, or {DISPLAY}', bits=bits)
    text = 'are a display window, air alone would be -1000 HU'
    return _issue('display window', low, high, text, DISPLAY, bits=bits)


def _no_contrast(values: ValueCounts, low: float, high: float) -> QualityIssue | None:
    bottom, median, top = values.percentiles((0.5, 50, 99.5))
    if top - bottom >= MIN_SPREAD:
        return None
    materials = {'air': -1000, 'water': 0}
    material = next((m for m, hu in materials.items() if abs(median - hu) < 100), 'one thing')
    text = (
        f'lie {top - bottom:.0f} HU apart but for 1 %, a chest spans above 1000: it is all '
        f'{material} (median {median:.0f})'
    )
    remedy = 'give a scan of a chest, or check its slope'
    return _issue('no contrast', low, high, text, remedy, median=median)


def _issue(
    code: str, low: float, high: float, text: str, remedy: str, **values: float
) -> QualityIssue:
    numbers = {name: round(value, 3) for name, value in dict(low=low, high=high, **values).items()}
    return QualityIssue(code, f'values from {low:.6g} to {high:.6g} {text}', remedy, values=numbers)
