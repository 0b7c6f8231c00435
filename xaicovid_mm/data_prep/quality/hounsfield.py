"""Are the numbers of a scan Hounsfield units? AuditScore from their histogram alone."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from skimage.filters import threshold_otsu

from .issue import WARNING, QualityIssue
from .value_range import not_ct

AIR_PEAK = (-1100, -750)  # outer air, or healthy lung where a crop has no outer air
TISSUE_PEAK = (-150, 130)  # fat to contrast medium
AIR = (-1080, -920)
FLOOR = 0.25  # share of the voxels at an extreme: more has been put there
MIN_AIR = 0.001  # share of the voxels: the trachea alone is more
MIN_TOP = 100  # HU; bone is above
AIR_TO_TISSUE = (700, 1200)  # HU between both peaks
PADDING = -1500  # and lower
SAMPLE = 4_000_000


@dataclass(frozen=True)
class Levels:
    """Where the values of a scan lie, padding left out.

    Attributes:
        low, high: The extremes.
        tails: 0.1th and 99.9th percentile.
        dark, bright: The peak of air or lung and that of tissue, if the scan is CT.
        air: Share of the voxels that are air, if the scan is in HU.
        floor: Share of the voxels that are exactly ``low``.
    """

    low: float
    high: float
    tails: tuple[float, float]
    dark: float
    bright: float
    air: float
    floor: float

    @property
    def apart(self) -> float:
        """From the dark peak to the bright one."""
        return self.bright - self.dark

    @property
    def inverted(self) -> bool:
        """Bone makes the long tail of CT; here it is on the dark side."""
        below, above = self.dark - self.tails[0], self.tails[1] - self.bright
        return _within(self.apart, AIR_TO_TISSUE) and below > 150 and below > 2 * above

    @property
    def shift(self) -> int:
        """What was added to HU, if anything."""
        if self.low == 0:
            return 1024  # unsigned files begin at -1024 HU
        return _usual(self.dark + 1000, [s * n for s in (1, -1) for n in (1000, 1024, 2048, 32768)])


def intensity_issues(hu: np.ndarray) -> list[QualityIssue]:
    """Findings on the values (Z, Y, X); none for a CT in HU.

    A factor from 0.9 to 1.1 and a shift of up to 30 to 100 HU are not noticed: scanners and
    patients differ by as much. Not in the paper; the limits were chosen on phantoms and tried on
    real scans.
    """
    step = max(int(np.sqrt(hu.size / SAMPLE)), 1)
    sample = np.ravel(hu[:, ::step, ::step])
    values, padding = _without_padding(sample)
    low = float(values.min() if padding else hu.min())
    wrong = not_ct(values, low, float(hu.max())) or _wrong_scale(_levels(values))
    return [*padding, *([] if wrong is None else [wrong])]


def _without_padding(values: np.ndarray) -> tuple[np.ndarray, list[QualityIssue]]:
    """Without lone values far below the rest, as scanners put outside of their circle."""
    found: list[QualityIssue] = []
    while True:
        low = values.min()
        rest = values[values > low]
        share = 1 - len(rest) / len(values)
        if not len(rest) or low > PADDING or share < 1e-3 or rest.min() - low < 200:
            return values, found
        values = rest
        text = (
            f'{share:.1%} of the voxels are exactly {low:g}, the rest begins at {rest.min():g}: '
            'padding outside of the field of view'
        )
        numbers = dict(padding=float(low), share=round(share, 4), lowest=float(rest.min()))
        found.append(QualityIssue('padding', text, f'set {low:g} to -1024', WARNING, numbers))


def _levels(values: np.ndarray) -> Levels:
    low, high = float(values.min()), float(values.max())
    below, above = np.percentile(values, (0.1, 99.9)).tolist()
    floor, ceiling = (float((values == end).mean()) for end in (low, high))
    heaps = [end for end, share in ((low, floor), (high, ceiling)) if share <= FLOOR]
    shown = values[~np.isin(values, heaps)]  # noise that is cut at -1024 makes a heap there
    counts, edges = np.histogram(shown, 200, (below, above))
    if (counts > 0).sum() < 2:  # of a few levels only, the heaps are all there is to go by
        counts, edges = np.histogram(values.clip(below, above), 200, (below, above))
    centres = (edges[1:] + edges[:-1]) / 2
    smooth = gaussian_filter1d(counts.astype(float), 1.5, mode='constant')
    middle = threshold_otsu(hist=(counts, centres))
    peaks, _ = find_peaks([0, *smooth, 0], prominence=0.03 * smooth.max())
    dark = [peak - 1 for peak in peaks if centres[peak - 1] <= middle]
    dark = dark or [np.where(centres <= middle, smooth, -1).argmax()]
    bright = np.where(centres > middle, smooth, -1).argmax()
    air = float(((values > AIR[0]) & (values < AIR[1])).mean())
    tops = float(centres[dark[0]]), float(centres[bright])
    return Levels(low, high, (below, above), *tops, air, floor)


def _wrong_scale(said: Levels) -> QualityIssue | None:
    """Not HU, and what would make HU of it."""
    numbers = dict(low=said.low, high=said.high, dark=round(said.dark), bright=round(said.bright))
    peaks = _within(said.dark, AIR_PEAK) and _within(said.bright, TISSUE_PEAK)
    if peaks and said.air > MIN_AIR:
        return None if said.high > MIN_TOP else _no_bone(said, numbers)
    code, cause, remedy = _cause(said)
    text = (
        f'values from {said.low:g} to {said.high:g} with peaks at {said.dark:.0f} and '
        f'{said.bright:.0f} are no chest in HU (air -1000, tissue 0 to 80, bone above 300): {cause}'
    )
    return QualityIssue(code, text, remedy, values=numbers)


def _no_bone(said: Levels, numbers: dict[str, float]) -> QualityIssue:
    text = f'nothing is above {said.high:g} HU, bone is above 300: a display window has cut it'
    return QualityIssue('no bone', text, 'export the scan again without it', WARNING, numbers)


def _cause(said: Levels) -> tuple[str, str, str]:
    if said.inverted:
        code, cause = 'inverted', 'bone is on the dark side, the scan is inverted'
        top = _usual(said.bright - 1000, [0, 1024])
        return code, cause, f'replace each value v by {top} - v'
    if said.floor > FLOOR:
        cause = f'a display window has cut them, {said.floor:.0%} are exactly {said.low:g}'
        return 'cut values', cause, 'what was cut is lost: export the scan again without it'
    if abs(said.bright) < 0.15 * said.apart:
        code, cause = 'slope', 'right but for a factor'
        return code, cause, f'if it is CT, divide by about {-said.dark / 1000:.2f}'
    shifted = said.bright - said.shift
    if _within(said.apart, AIR_TO_TISSUE) and _within(shifted, TISSUE_PEAK):
        verb = 'subtract' if said.shift > 0 else 'add'
        return 'intercept', 'right but for a shift', f'if it is CT, {verb} {abs(said.shift)}'
    cause = 'neither a shift nor a factor makes CT of them'
    return 'not ct', cause, 'give CT in HU; MR and other modalities are not read'


def _usual(found: float, usual: list[int]) -> int:
    """The usual number next to what was found, if there is one as near as a peak can be told."""
    return next((number for number in usual if abs(number - found) < 15), round(found))


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
