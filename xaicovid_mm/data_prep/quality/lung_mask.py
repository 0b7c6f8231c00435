"""Signs that a lung mask is wrong: no lung, one lung, an area that jumps, or lungs beside it."""

from collections.abc import Callable, Iterator

import numpy as np
from skimage.filters import threshold_otsu

from ..body import MAX_AIR_HU
from .issue import WARNING, QualityIssue

MIN_LUNG_ML = 200
"""Less is no pair of lungs: those of an adult hold litres."""
MIN_LITRES, MAX_LITRES = 1.0, 10.0
"""Less is a part of the lungs; more is room air, or the inside of a table."""
EVERY = 3
"""Rows and slices that are looked at to find the middle of the body: each third."""
MIN_RATIO = 0.7
"""Volume of the smaller lung over that of the larger one; healthy lungs are near 0.87."""
MAX_JUMP, MAX_JUMP_PER_MM = 0.15, 0.035
"""How far a slice's lung area may lie from the mean of its neighbours, as a share of the largest
area: a constant, and what is added for each mm between slices."""
MAX_MISSED = 0.1
"""Share of the air of the lungs that may lie outside of a given mask. True masks of 57 phantoms
leave out at most 0.03. Of three real scans, mirrored ones leave out 0.17 to 0.50, and ones moved by
2 cm 0.14 to 0.34."""
TISSUE_HU, LITTLE_TISSUE = -300, 0.07
"""A mask of which a smaller share is denser than this lies on the lungs, which need not be found.
True masks of healthy and COVID-19 phantoms have at most 0.06; masks that are mirrored, or moved by
2 cm, have at least 0.12."""
GRID_MM = 2.0
"""Lungs beside a given mask are looked for on a grid of at most this, where the scan is finer."""

FindLungs = Callable[[np.ndarray, tuple[float, float, float]], np.ndarray]
"""Maps a scan (Z, Y, X) and its spacing (z, y, x) in mm to its lungs, bool (Z, Y, X)."""


def lung_mask_issues(
    mask: np.ndarray, scan: np.ndarray, spacing_mm: tuple[float, float, float]
) -> list[QualityIssue]:
    """List what is odd about a lung mask; all of it is a warning.

    Not in the paper. If dense disease hides a lung from the mask, the lungs look unequal, unless
    both lose alike. A lung that really is small or absent is reported too. The limits hold for
    adults.

    Args:
        mask: bool (Z, Y, X), upright.
        scan: (Z, Y, X) in HU or display values. It tells where the middle of the body is.
        spacing_mm: (z, y, x).

    Returns:
        Issues 'no lung', 'lung volume', 'one lung' and 'area jumps'; the last one once per slice.
    """
    ml = float(np.count_nonzero(mask) * np.prod(spacing_mm) / 1000)
    if ml < MIN_LUNG_ML:
        return [_warning('no lung', f'no lung: {ml:.0f} ml, at least {MIN_LUNG_ML} expected')]
    much = [volume_issue(ml / 1000)] if ml > 1000 * MAX_LITRES else []
    return [*much, *_unequal_lungs(mask, scan), *_area_jumps(mask, spacing_mm[0])]


def missed_lung(
    mask: np.ndarray,
    hu: np.ndarray,
    spacing_mm: tuple[float, float, float],
    find_lungs: FindLungs,
) -> Iterator[QualityIssue]:
    """Find out whether a given lung mask lies where the lungs are.

    One that is mirrored, turned upside down or moved still looks like lungs by itself. It is
    compared with the lungs that are found, of which only air counts: vessels and dense disease may
    be in a mask or not. A mask with little tissue in it needs no comparison. Not in the paper.

    Args:
        mask: bool (Z, Y, X).
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).
        find_lungs: Finds the lungs of a scan.
    """
    z, y, x = (max(int(GRID_MM / mm), 1) for mm in spacing_mm)
    hu, mask = np.ascontiguousarray(hu[::z, ::y, ::x]), mask[::z, ::y, ::x]
    coarse_mm = (spacing_mm[0] * z, spacing_mm[1] * y, spacing_mm[2] * x)
    if not mask.any() or (hu[mask] > TISSUE_HU).mean() <= LITTLE_TISSUE:
        return
    air = find_lungs(hu, coarse_mm) & (hu < MAX_AIR_HU)
    ml = float(np.count_nonzero(air) * np.prod(coarse_mm) / 1000)
    share = float((~mask[air]).mean()) if air.any() else 0.0
    if ml >= MIN_LUNG_ML and share > MAX_MISSED:
        text = (
            f'{share:.0%} of the lungs that are found lie outside of the given lung mask, at most '
            f'{MAX_MISSED:.0%} expected'
        )
        remedy = 'look at the mask: flipped, moved, or of another scan?'
        yield QualityIssue('lungs outside mask', text, remedy, WARNING, dict(share=share))


def volume_issue(litres: float) -> QualityIssue:
    """The warning that lungs of so many litres are not expected."""
    text = f'{litres:.1f} l of lung, {MIN_LITRES:.0f} to {MAX_LITRES:.0f} expected'
    return QualityIssue('lung volume', text, 'look at the lungs', WARNING, dict(litres=litres))


def relative_areas(mask: np.ndarray) -> np.ndarray:
    """The area of a mask, bool (Z, Y, X), in each slice, as a share of the largest one."""
    areas = np.array([np.count_nonzero(plane) for plane in mask])
    return areas / areas.max()


def _unequal_lungs(mask: np.ndarray, scan: np.ndarray) -> Iterator[QualityIssue]:
    seen = scan[::EVERY, ::EVERY]
    tissue = (seen > threshold_otsu(seen)).sum((0, 1))
    middle = round(float(np.average(np.arange(len(tissue)), weights=tissue)))
    right, left = mask[..., :middle], mask[..., middle:]
    sides = {'right': np.count_nonzero(right), 'left': np.count_nonzero(left)}
    smaller = min(sides, key=lambda side: sides[side])
    ratio = sides[smaller] / max(sides.values())
    if ratio < MIN_RATIO:
        yield _warning(
            'one lung',
            f'one lung: the {smaller} one has {ratio:.2f} of the other, '
            f'at least {MIN_RATIO} expected',
        )


def _area_jumps(mask: np.ndarray, step_mm: float) -> Iterator[QualityIssue]:
    area = relative_areas(mask)
    jump = np.abs(area[1:-1] - (area[:-2] + area[2:]) / 2)
    limit = MAX_JUMP + MAX_JUMP_PER_MM * step_mm
    for z in np.flatnonzero(jump > limit) + 1:
        yield _warning(
            'area jumps',
            f'area jumps at slice {z}: {jump[z - 1]:.2f} of the largest, '
            f'at most {limit:.2f} expected',
        )


def _warning(code: str, text: str) -> QualityIssue:
    return QualityIssue(code, text, 'look at the lungs', WARNING)
