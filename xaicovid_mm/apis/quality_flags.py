"""What a reader of a prediction should know about the scan it stands on."""

import numpy as np

from ..data_prep.lung_flags import lung_flags
from ..data_prep.volume import Volume
from .served_model import ServedModel

LUNG_LITRES = (1.0, 10.0)
END_SHARE = 0.35
"""A first or last slice with more lung than this share of the largest cuts the lungs off."""
THICK_MM = 10.0
FEW_SLICES = 10


def quality_flags(
    scan: Volume, lung: np.ndarray, slices: int, served: ServedModel
) -> list[dict[str, str]]:
    """Findings that lower the trust in a prediction, each with ``code`` and ``text``.

    Args:
        scan: Upright.
        lung: bool (Z, Y, X).
        slices: That were shown to the network.
        served: The model.
    """
    found = dict(_scan_flags(scan, lung, slices))
    if not served.provenance.get('calibrated'):
        found['uncalibrated'] = (
            'nobody has fitted a temperature to this model: its confidence is what the network '
            'says, not how often it is right'
        )
    if served.preprocessing['intensity'] == 'display':
        found['other intensities'] = (
            'the model was trained on display values: the scan was windowed and equalised like '
            'them, which is not the same as having been made that way'
        )
    return [dict(code=code, text=text) for code, text in found.items()]


def _scan_flags(scan: Volume, lung: np.ndarray, slices: int) -> list[tuple[str, str]]:
    flags = []
    litres = float(lung.sum() * np.prod(scan.spacing_mm)) / 1e6
    low, high = LUNG_LITRES
    if not low <= litres <= high:
        flags.append(('lung volume', f'{litres:.1f} l of lung, {low:.0f} to {high:.0f} expected'))
    for text in lung_flags(lung, scan.data, scan.spacing_mm):
        code, _, rest = text.partition(': ')
        flags.append((code, rest))
    areas = lung.sum((1, 2))
    for name, area in (('lowest', areas[0]), ('highest', areas[-1])):
        if area > END_SHARE * areas.max():
            share = area / areas.max()
            flags.append((f'{name} slice', f'{share:.0%} of the largest lung area: lungs cut off'))
    if scan.spacing_mm[0] > THICK_MM:
        text = f'slices {scan.spacing_mm[0]:.1f} mm apart, small foci may lie between'
        flags.append(('thick slices', text))
    if slices < FEW_SLICES:
        flags.append(('few slices', f'{slices} slices show lung'))
    return flags
