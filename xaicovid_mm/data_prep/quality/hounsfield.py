"""Check from the histogram alone that the values of a scan are Hounsfield units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from skimage.filters import threshold_otsu

from .issue import WARNING, QualityIssue
from .value_counts import ValueCounts
from .value_range import not_ct

AIR_PEAK = (-1100, -750)
"""HU of the dark peak: outer air, or healthy lung where a crop has no outer air."""
TISSUE_PEAK = (-150, 130)
"""HU of the bright peak: from fat to contrast medium."""
AIR = (-1080, -920)
MIN_AIR = 0.001
"""Share of the voxels that are air; the trachea alone is more."""
MAX_FLOOR = 0.25
"""Share of the voxels at the smallest value; with more, a window has cut the values."""
MIN_FILL = 0.05
"""Share of the voxels at one value that fills a frame; no other value of a scan has above 0.02."""
MIN_TOP = 100
"""HU; bone is above."""
AIR_TO_TISSUE = (700, 1200)
"""HU from the dark peak to the bright one."""
USUAL_SHIFTS = tuple(sign * number for sign in (1, -1) for number in (1000, 1024, 2048, 32768))
AIR_ABOVE_PADDING = 24
"""HU from padding at -1024 to air; no such step is there where values are cut at -1000."""
TOLERANCE_HU = 15
"""How precisely a peak can be located."""
MAX_SAMPLE = 4_000_000
NOT_CT = 'not ct'


@dataclass(frozen=True)
class Levels:
    """Where the values of a scan lie, padding left out.

    Attributes:
        low: Smallest value.
        high: Largest value.
        tails: 0.1th and 99.9th percentile.
        dark: Peak of air or lung, if the scan is CT.
        bright: Peak of soft tissue, if the scan is CT.
        air: Share of the voxels that are air, if the scan is in HU.
        floor: Share of the voxels that are exactly ``low``.
        step: From ``low`` to the most frequent of the values close above it.
    """

    low: float
    high: float
    tails: tuple[float, float]
    dark: float
    bright: float
    air: float
    floor: float
    step: float

    @property
    def apart(self) -> float:
        """Distance from the dark peak to the bright one."""
        return self.bright - self.dark

    @property
    def inverted(self) -> bool:
        """Whether bone, which makes the long tail of CT, is on the dark side."""
        below, above = self.dark - self.tails[0], self.tails[1] - self.bright
        return _within(self.apart, AIR_TO_TISSUE) and below > 150 and below > 2 * above

    @property
    def shift(self) -> int:
        """What has to be subtracted so that air is at -1000 HU."""
        if self.low == 0:  # unsigned files begin at -1024 HU, or at -1000 if they were cut there
            return 1024 if self.step > AIR_ABOVE_PADDING / 2 else 1000
        if self.floor > MAX_FLOOR:  # the darkest peak is no air: that is all at the floor
            for shift in USUAL_SHIFTS:
                if self.low - shift in (-1024, -1000):
                    return shift
        return _nearest_usual(self.dark + 1000, USUAL_SHIFTS)


def intensity_issues(hu: np.ndarray) -> list[QualityIssue]:
    """Find issues of the values (Z, Y, X) of a scan; a CT scan in HU has none.

    A factor from 0.9 to 1.1 and a shift of up to 30 to 100 HU are not noticed, because scanners
    and patients differ by as much. Not in the paper. The limits were chosen on phantoms and tried
    on real scans.
    """
    step = max(int(np.sqrt(hu.size / MAX_SAMPLE)), 1)
    values, padding = _without_padding(ValueCounts.of(hu[:, ::step, ::step]))
    low = float(values.levels[0] if padding else hu.min())
    issue = not_ct(values, low, float(hu.max())) or _wrong_scale(_levels(values))
    if issue is not None and issue.code == NOT_CT:
        issue = _wrong_scale(_levels(_without_fill(values)))
    return [*padding, *([] if issue is None else [issue])]


def _without_padding(values: ValueCounts) -> tuple[ValueCounts, list[QualityIssue]]:
    """Remove single values far below the rest: scanners put them outside of the scanned circle."""
    issues: list[QualityIssue] = []
    while len(values) > 1:
        low, above = values.levels[:2].tolist()
        rest = values.where(values.levels > low)
        share = 1 - rest.total / values.total
        if low >= 0 or share < 1e-3 or above - low < 200:
            break
        values = rest
        text = (
            f'{share:.1%} of the voxels are exactly {low:g}, the rest begins at {above:g}: '
            'padding outside of the field of view'
        )
        numbers = dict(padding=float(low), share=round(share, 4), lowest=float(above))
        issues.append(QualityIssue('padding', text, f'set {low:g} to -1024', WARNING, numbers))
    return values, issues


def _without_fill(values: ValueCounts) -> ValueCounts:
    """Remove the value with which a file fills what lies around the field of view, if it has one.

    The lowest value stays, see ``_without_padding`` and ``MAX_FLOOR``.
    """
    fill = 1 + values.counts[1:].argmax()
    is_fill = np.arange(len(values)) == fill
    return values.where(~is_fill) if values.share(is_fill) > MIN_FILL else values


def _levels(values: ValueCounts) -> Levels:
    levels = values.levels
    low, high = float(levels[0]), float(levels[-1])
    below, above = values.percentiles((0.1, 99.9))
    floor, ceiling = (values.share(levels == end) for end in (low, high))
    # Noise that is cut at -1024 makes a heap there; it must not count as a peak.
    heaps = [end for end, share in ((low, floor), (high, ceiling)) if share <= MAX_FLOOR]
    counts, edges = values.where(~np.isin(levels, heaps)).histogram(200, (below, above))
    if (counts > 0).sum() < 2:  # of a few levels only, the heaps are all there is to go by
        clipped = ValueCounts(levels.clip(below, above), values.counts)
        counts, edges = clipped.histogram(200, (below, above))
    dark, bright = _peaks(counts, (edges[1:] + edges[:-1]) / 2)
    near = values.where((levels > low) & (levels <= low + 4 * AIR_ABOVE_PADDING))
    counts_near, edges_near = ValueCounts(near.levels - low, near.counts).histogram(12)
    return Levels(
        low=low,
        high=high,
        tails=(below, above),
        dark=dark,
        bright=bright,
        air=values.share((levels > AIR[0]) & (levels < AIR[1])),
        floor=floor,
        step=float(edges_near[counts_near.argmax()]),
    )


def _peaks(counts: np.ndarray, centres: np.ndarray) -> tuple[float, float]:
    """The first peak below Otsu's threshold of a histogram, and the highest bin above it."""
    smooth = gaussian_filter1d(counts.astype(float), 1.5, mode='constant')
    middle = threshold_otsu(hist=(counts, centres))
    peaks, _ = find_peaks([0, *smooth, 0], prominence=0.03 * smooth.max())
    dark = [peak - 1 for peak in peaks if centres[peak - 1] <= middle]
    dark = dark or [np.where(centres <= middle, smooth, -1).argmax()]
    bright = np.where(centres > middle, smooth, -1).argmax()
    return float(centres[dark[0]]), float(centres[bright])


def _wrong_scale(levels: Levels) -> QualityIssue | None:
    """Values that are not HU, with the remedy that makes HU of them; None if they are HU."""
    numbers = dict(
        low=levels.low, high=levels.high, dark=round(levels.dark), bright=round(levels.bright)
    )
    hu_peaks = _within(levels.dark, AIR_PEAK) and _within(levels.bright, TISSUE_PEAK)
    if hu_peaks and levels.air > MIN_AIR:
        return None if levels.high > MIN_TOP else _no_bone(levels, numbers)
    code, cause, remedy = _cause(levels)
    text = (
        f'values from {levels.low:g} to {levels.high:g} with peaks at {levels.dark:.0f} and '
        f'{levels.bright:.0f} are no chest in HU (air -1000, tissue 0 to 80, bone above 300): '
        f'{cause}'
    )
    return QualityIssue(code, text, remedy, values=numbers)


def _no_bone(levels: Levels, numbers: dict[str, float]) -> QualityIssue:
    text = f'nothing is above {levels.high:g} HU, bone is above 300: a display window has cut it'
    return QualityIssue('no bone', text, 'export the scan again without it', WARNING, numbers)


def _cause(levels: Levels) -> tuple[str, str, str]:
    """Code, cause and remedy of values that are not HU."""
    if levels.inverted:
        top = _nearest_usual(levels.bright - 1000, [0, 1024])
        cause = 'bone is on the dark side, the scan is inverted'
        return 'inverted', cause, f'replace each value v by {top} - v'
    shifted = levels.bright - levels.shift
    air_to_tissue = levels.bright - levels.low if levels.floor > MAX_FLOOR else levels.apart
    is_shifted = _within(air_to_tissue, AIR_TO_TISSUE) and _within(shifted, TISSUE_PEAK)
    if levels.floor > MAX_FLOOR and not is_shifted:
        cause = f'a display window has cut them, {levels.floor:.0%} are exactly {levels.low:g}'
        return 'cut values', cause, 'what was cut is lost: export the scan again without it'
    if abs(levels.bright) < 0.15 * levels.apart:
        factor = -levels.dark / 1000
        return 'slope', 'right but for a factor', f'if it is CT, divide by about {factor:.2f}'
    if is_shifted:
        verb = 'subtract' if levels.shift > 0 else 'add'
        return 'intercept', 'right but for a shift', f'if it is CT, {verb} {abs(levels.shift)}'
    cause = 'neither a shift nor a factor makes CT of them'
    return NOT_CT, cause, 'give CT in HU; MR and other modalities are not read'


def _nearest_usual(value: float, usual: Sequence[int]) -> int:
    """The usual number within ``TOLERANCE_HU`` of a value; without one, the value rounded."""
    return next((number for number in usual if abs(number - value) < TOLERANCE_HU), round(value))


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
