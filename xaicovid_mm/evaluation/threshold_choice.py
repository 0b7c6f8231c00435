"""The probability above which a pixel is infected, chosen on validation patients."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .segmentation_scores import SegmentationScores
from .slice_scores import read_rows

THRESHOLDS = np.arange(1, 20) / 20  # includes 0.5 exactly
THRESHOLD_FILE = 'thresholds.csv'
"""File that ``InfectionMetric`` writes beside its own."""
CHOSEN_FILE = 'infection_at_chosen_threshold.csv'
"""The same: the rows of the slices at the threshold that ``chosen_threshold`` gives."""
CRITERION = 'dice_infected_patient_mean'
COLUMNS = (CRITERION, 'dice_infected_slice_mean', 'dice_slice_mean', 'empty_slice_perfect_share')


def threshold_table(
    records: Sequence[dict[str, Any]], sweeps: Sequence[Sequence[dict[str, int]]]
) -> list[dict[str, float]]:
    """Return scores at each of ``THRESHOLDS``, a row each; scores without a slice are left out.

    Args:
        records: One per slice, with ``case`` and ``patient``.
        sweeps: Per slice the counts at each threshold, ``tp``, ``fp`` and ``fn`` among them.
    """
    cases, patients = ([record[key] for record in records] for key in ('case', 'patient'))
    rows = []
    for threshold, counts in zip(THRESHOLDS, zip(*sweeps, strict=True), strict=False):
        pixels = np.array([[count[key] for key in ('tp', 'fp', 'fn')] for count in counts])
        scores = SegmentationScores(pixels, cases, patients)()
        known = {name: scores[name] for name in COLUMNS if name in scores}
        rows.append({'threshold': float(threshold), **known})
    return rows


def chosen_threshold(folder: str | Path) -> float | None:
    """Return the threshold of the best mean Dice of infected patients that a test found.

    Of equals it is the one nearest to 0.5. None if no patient was infected or nothing was written.

    Args:
        folder: Folder that ``tools/test.py`` wrote.
    """
    return best_threshold(read_rows(Path(folder, THRESHOLD_FILE)))


def best_threshold(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the threshold of ``chosen_threshold`` from the rows of ``threshold_table``."""
    known = [row for row in rows if row.get(CRITERION) not in (None, '')]
    if not known:
        return None
    best = max(known, key=lambda row: (float(row[CRITERION]), -abs(float(row['threshold']) - 0.5)))
    return float(best['threshold'])
