"""Values that no scale makes Hounsfield units of: pictures, normalised arrays, nothing at all."""

import numpy as np

from .issue import QualityIssue

MIN_SPREAD = 300  # from the 0.5th to the 99.5th percentile; noise alone stays below
EQUALISED_BITS = 7.05
"""Entropy of the grey values between black and white. Real slices: 6.3 to 6.9 through lung windows,
7.2 to 7.7 once equalised."""
ORIGINAL = 'give the scan as it was before'
DISPLAY = 'give it in HU; or prepare it with --intensity display, apart from scans in HU'


def not_ct(values: np.ndarray, low: float, high: float) -> QualityIssue | None:
    """What the values are, if their range alone says that they are no CT.

    Args:
        values: A sample, flat.
        low, high: The extremes of all values.
    """
    if low == high:
        return _finding('constant', low, high, 'are all the same', 'export the scan again')
    if low >= -1 and high <= 1:
        what = 'are a mask, or normalised to [0, 1] or [-1, 1]'
        return _finding('unit range', low, high, what, ORIGINAL)
    mean, deviation = float(values.mean(dtype=float)), float(values.std(dtype=float))
    if 0.5 < deviation < 2:
        what = f'with mean {mean:.2f} and deviation {deviation:.2f} are z-scores'
        return _finding('z-score', low, high, what, ORIGINAL, mean=mean, deviation=deviation)
    if low >= 0 and high <= 255 and deviation > 10:
        return _picture(values, low, high)
    if high >= 2**16 - 1100 and low >= 0:
        what = 'are negative HU read as unsigned 16 bit'
        remedy = 'subtract 65536 from what is above 32767: read it as int16'
        return _finding('unsigned', low, high, what, remedy)
    return _flat(values, low, high)


def _picture(values: np.ndarray, low: float, high: float) -> QualityIssue:
    counts = np.bincount(np.ravel(values).astype(np.uint8), minlength=256)
    inner = counts[1:255][counts[1:255] > 0] / max(counts[1:255].sum(), 1)
    bits = float(-(inner * np.log2(inner)).sum())
    ends = float((counts[0] + counts[255]) / counts.sum())
    if bits > EQUALISED_BITS and ends < 0.3:
        what = f'spread over {bits:.2f} of 8 bits are an equalised picture (CLAHE or the like)'
        return _finding('equalised', low, high, what, f'{ORIGINAL}, or {DISPLAY}', bits=bits)
    what, remedy = 'are a display window, air alone would be -1000 HU', DISPLAY
    return _finding('display window', low, high, what, remedy, bits=bits)


def _flat(values: np.ndarray, low: float, high: float) -> QualityIssue | None:
    bottom, middle, top = np.percentile(values, (0.5, 50, 99.5)).tolist()
    if top - bottom >= MIN_SPREAD:
        return None
    kinds = {'air': -1000, 'water': 0}
    kind = next((name for name, hu in kinds.items() if abs(middle - hu) < 100), 'one thing')
    what = (
        f'lie {top - bottom:.0f} HU apart but for 1 %, a chest spans above 1000: it is all {kind} '
        f'(median {middle:.0f})'
    )
    return _finding(
        'no contrast', low, high, what, 'give a scan of a chest, or check its slope', median=middle
    )


def _finding(
    code: str, low: float, high: float, what: str, remedy: str, **values: float
) -> QualityIssue:
    numbers = {name: round(value, 3) for name, value in dict(low=low, high=high, **values).items()}
    return QualityIssue(code, f'values from {low:.6g} to {high:.6g} {what}', remedy, values=numbers)
