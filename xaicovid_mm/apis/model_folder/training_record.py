"""What a model was trained on, in figures that a scan can be compared with. Not in the paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine import Config
from scipy.ndimage import binary_erosion, convolve

from ...data_prep.orientation import upright_spacing
from ...data_prep.store.reader import SliceStore
from ...data_prep.store.records import Case

MOST_SCANS = 200
"""Scans of the training patients that are measured, evenly spaced in the store."""
MOST_SLICES = 16
"""Slices of a scan whose HU are measured, evenly spaced."""
MARGIN = 0.25
"""A scan may lie this share of a range beyond it: a few patients do not show the whole range."""
ROUNDING = 0.05
"""A scan may also differ from the end of a range by this share of it."""
TITLES = {
    'spacing_z_mm': 'slice distance, mm',
    'spacing_y_mm': 'pixel height, mm',
    'spacing_x_mm': 'pixel width, mm',
    'lung_ml': 'lung volume on the slices of the model, ml',
    'hu_p10': 'HU below which a tenth of the lung lies',
    'hu_p50': 'median HU of the lung',
    'hu_p90': 'HU above which a tenth of the lung lies',
    'noise_hu': 'noise in the lung, HU',
}
_NOISE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Takes away all that is even or leans (Immerkaer, 1996); noise comes out 6 times as large."""


def training_record(cfg: Config) -> dict[str, Any]:
    """Describe the training patients of a config.

    Args:
        cfg: Its training dataset names the store, the split and the roles.

    Returns:
        ``phantom``, whether they are phantoms; numbers of ``patients``, ``scans``, ``slices`` and
        ``sites``; and ``ranges``, the smallest and largest of each of ``scan_facts`` over the
        scans. Nothing in it names a patient or a site.

    Raises:
        StoreError: If the store or the split is missing.
    """
    dataset = cfg.train_dataloader.dataset
    store = SliceStore(dataset.store)
    rows = np.concatenate([store.rows(dataset.split, role) for role in dataset.roles])
    numbers = np.unique(store.index['case'][rows])
    cases = [store.cases[number] for number in numbers.tolist()]
    measured = [_stored_facts(store, case) for case in cases[:: -(-len(cases) // MOST_SCANS)]]
    return dict(
        phantom=store.is_phantom,
        patients=len({case.patient for case in cases}),
        scans=len(cases),
        slices=len(rows),
        sites=len({case.site for case in cases}),
        ranges=_ranges(measured),
    )


def scan_facts(
    spacing_mm: Sequence[float],
    hu: np.ndarray | None = None,
    lung: np.ndarray | None = None,
    lung_ml: float = 0.0,
) -> dict[str, float]:
    """Measure what can tell a scan from those that a model knows.

    Args:
        spacing_mm: (z, y, x) of the scan's voxels.
        hu: (N, H, W), ``some`` of its slices as the model gets them; None if they are not in HU.
        lung: bool (N, H, W), of the same slices; None if unknown.
        lung_ml: Volume of the lungs in all of its slices.

    Returns:
        Value by a name of ``TITLES``. ``noise_hu`` is the noise of neighbouring pixels inside the
        lungs, estimated by the median so that vessels count little.
    """
    facts = {f'spacing_{axis}_mm': float(mm) for axis, mm in zip('zyx', spacing_mm, strict=True)}
    if lung is None or not lung.any():
        return facts
    facts['lung_ml'] = lung_ml
    if hu is not None:
        shares = np.percentile(hu[lung], (10, 50, 90)).tolist()
        facts |= dict(zip(('hu_p10', 'hu_p50', 'hu_p90'), shares, strict=True))
        inner = np.stack([binary_erosion(plane, np.ones((3, 3))) for plane in lung])
        if inner.any():
            rough = np.stack([convolve(plane.astype(np.float32), _NOISE) for plane in hu])
            facts['noise_hu'] = float(np.median(np.abs(rough[inner])) / 0.6745 / 6)
    return facts


def some(number: int) -> slice:
    """Which of a number of slices are measured: at most ``MOST_SLICES``, evenly spaced."""
    return slice(None, None, -(-number // MOST_SLICES))


def three_digits(value: float) -> str:
    """A fact as a reader gets it: three digits, or all before the point."""
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'


def outside_ranges(record: dict[str, Any], facts: dict[str, float]) -> list[str]:
    """Say which facts of a scan lie outside of what a model was trained on.

    Args:
        record: Of ``training_record``.
        facts: Of ``scan_facts``.

    Returns:
        A text for each, with the value and the range.
    """
    texts = []
    for name, (low, high) in record['ranges'].items():
        value = facts.get(name)
        margin = MARGIN * (high - low)
        if value is None or (
            low - max(margin, ROUNDING * abs(low))
            <= value
            <= high + max(margin, ROUNDING * abs(high))
        ):
            continue
        shown, first, last = map(three_digits, (value, low, high))
        texts.append(f'{TITLES.get(name, name)}: {shown}, trained on {first} to {last}')
    return texts


def _stored_facts(store: SliceStore, case: Case) -> dict[str, float]:
    if case.affine is None or case.spacing_mm is None:
        return {}
    spacing = upright_spacing(np.asarray(case.affine, float))
    if not case.has_lung:
        return scan_facts(spacing)
    every = range(case.first_row, case.first_row + case.rows)
    rows = every[some(case.rows)]
    hu = np.stack([store.image(row) for row in rows]) if store.intensity == 'hu' else None
    lung = np.stack([store.lung(row) for row in rows])
    pixels = store.index['lung_px'][every.start : every.stop].sum(dtype=float)
    return scan_facts(spacing, hu, lung, float(pixels * np.prod(case.spacing_mm)) / 1000)


def _ranges(measured: list[dict[str, float]]) -> dict[str, list[float]]:
    ranges = {}
    for name in TITLES:
        if values := [facts[name] for facts in measured if name in facts]:
            ranges[name] = [round(min(values), 3), round(max(values), 3)]
    return ranges
