"""The metric of the lung mask."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from ...registry import METRICS
from ...utils.overlap import dice_iou
from ..intervals import mean_interval
from .slice_records import keep_known, pixel_counts, slice_ids, write_records


@METRICS.register_module()
class LungMetric(BaseMetric):
    """Mean Dice of the lungs over patients with its interval, overall and for each site.

    Not in the paper. The pixel counts of a patient are summed before its Dice is computed.

    Args:
        threshold: ``lung_prob`` above it is lung, in [0, 1].
        out_file: CSV file for the pixel counts of every slice. Default: none is written.
        kwargs: Arguments of mmengine's BaseMetric.
    """

    default_prefix = 'lung'

    def __init__(self, threshold: float = 0.5, out_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold, self.out_file = threshold, out_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each slice; ``lung`` and ``lung_prob`` are (1, H, W)."""
        for sample in data_samples:
            counts = pixel_counts(sample['lung_prob'] > self.threshold, sample['lung'])
            self.results.append(slice_ids(sample) | counts)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the patients of all ranks, and over those of each site.

        Returns:
            ``dice_patient_mean`` in [0, 1], its 95 % interval ``dice_patient_mean_low`` and
            ``dice_patient_mean_high`` (absent for fewer than 6 patients) and ``patients``; the same
            for each site: ``dice_patient_mean_<site>`` and so on.
        """
        records = keep_known(results, 'tp', 'lung mask')
        write_records(records, self.out_file)
        scores = _scores(records, 'dice_patient_mean')
        for site in sorted({r['site'] for r in records}):
            of_site = [r for r in records if r['site'] == site]
            scores |= _scores(of_site, f'dice_patient_mean_{site}')
        return scores


def _scores(records: list[dict], name: str) -> dict[str, float]:
    counts = np.array([[r['tp'], r['fp'], r['fn']] for r in records])
    names, owner = np.unique([r['patient'] for r in records], return_inverse=True)
    dice = dice_iou(np.array([counts[owner == k].sum(0) for k in range(len(names))]))[:, 0]
    scores = {name: float(dice.mean()), name.replace('dice_patient_mean', 'patients'): len(names)}
    interval = mean_interval(dice)
    if interval.low is not None and interval.high is not None:
        scores |= {f'{name}_low': interval.low, f'{name}_high': interval.high}
    return scores
