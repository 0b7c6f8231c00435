"""The metric of the infection mask."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from ...explain import infection_mask
from ...registry import METRICS
from ..mask_calibration import COLUMN, bins_text
from ..slice_scores import infection_patient_score
from ..surface_scores import surface_scores
from ..threshold_choice import (
    CHOSEN_FILE,
    THRESHOLD_FILE,
    THRESHOLDS,
    best_threshold,
    threshold_table,
)
from .slice_records import keep_known, pixel_counts, shared_pixels, slice_ids, write_records

SWEEP = 'sweep'
"""Key of a record: its counts at each of ``THRESHOLDS``."""


@METRICS.register_module()
class InfectionMetric(BaseMetric):
    """Dice and IoU of the infection, and NSD and HD95 of its outline, under several averages.

    See ``SegmentationScores`` and ``SurfaceScores``. The latter need the size of a pixel in mm, and
    slices that were neither rotated nor scaled after reading. Slices without a known mask or
    without ``prob`` are left out and counted in the log.

    With ``out_file``, ``thresholds.csv`` beside it says what other thresholds would give, see
    ``threshold_table``, and ``infection_at_chosen_threshold.csv`` has the counts of every slice at
    the best of them.

    As in ``CTInferencer``, nothing is predicted outside the lungs, where they are known: what is
    infected there counts as missed.

    Of several predictions of a slice the rows also say how far their masks agree.

    Args:
        threshold: ``prob`` above it is infection, in [0, 1]; not in the paper.
        min_area: Share of a slice's pixels, in [0, 1), below which it is left empty, see
            ``infection_mask``.
        out_file: CSV file for the pixel counts of every slice. Default: none is written.
        kwargs: Arguments of mmengine's BaseMetric.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1] or ``min_area`` outside [0, 1).
    """

    default_prefix = 'seg'

    def __init__(
        self,
        threshold: float = 0.5,
        min_area: float = 0.0,
        out_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= threshold <= 1:
            raise ValueError(f'threshold is {threshold}, a probability from 0 to 1 is expected')
        if not 0 <= min_area < 1:
            raise ValueError(f'min_area is {min_area}, a share from 0 to below 1 is expected')
        self.threshold, self.min_area, self.out_file = threshold, min_area, out_file

    def names(self, labels: np.ndarray | None = None) -> list[str]:
        """Return the name of every score that this metric can give, whatever the ``labels``."""
        counts = dict(tp=1, fp=0, fn=0, nsd=1, hd95_mm=0)
        rows = [dict(case=k, patient=k, **counts) for k in 'ab']
        rows[1].update(tp=0, nsd='', hd95_mm='')
        return [f'{self.prefix}/{name}' for name in infection_patient_score(rows)(np.ones(2))]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each slice; ``infection`` and ``prob`` are (1, H, W)."""
        for sample in data_samples:
            counts: dict[str, Any] = {}
            if 'infection' in sample and 'prob' in sample:
                prob, true = sample['prob'], sample['infection'] > 0
                if 'lung' in sample:
                    prob = prob * sample['lung']
                predicted = infection_mask(prob, self.threshold, self.min_area)
                outline = _outline(
                    predicted[0].cpu().numpy(), true[0].cpu().numpy(), sample['pixel_mm']
                )
                counts = pixel_counts(predicted, true) | outline | _sure(prob, predicted)
                if 'view_prob' in sample:
                    views = sample['view_prob'] * sample.get('lung', 1)
                    counts |= shared_pixels(infection_mask(views, self.threshold, self.min_area))
                counts[COLUMN] = _bins(prob, true, sample.get('lung'))
                masks = (infection_mask(prob, t, self.min_area) for t in THRESHOLDS)
                counts[SWEEP] = [pixel_counts(mask, true) | _sure(prob, mask) for mask in masks]
            self.results.append(slice_ids(sample) | counts)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the slices, volumes and patients of all ranks."""
        records = keep_known(results, 'tp', 'infection mask')
        sweeps = [record.pop(SWEEP) for record in records]
        write_records(records, self.out_file)
        if self.out_file:
            self._write_thresholds(records, sweeps, Path(self.out_file).parent)
        return infection_patient_score(records)(np.ones(len({r['patient'] for r in records})))

    def _write_thresholds(
        self, records: Sequence[dict], sweeps: Sequence[Sequence[dict]], folder: Path
    ) -> None:
        table = threshold_table(records, sweeps)
        write_records(table, str(folder / THRESHOLD_FILE))
        chosen = best_threshold(table)
        if chosen is not None:
            place = int(np.abs(THRESHOLDS - chosen).argmin())
            rows = [
                slice_ids(record) | sweep[place]
                for record, sweep in zip(records, sweeps, strict=True)
            ]
            write_records(rows, str(folder / CHOSEN_FILE))


def _sure(prob: Tensor, predicted: Tensor) -> dict[str, float]:
    """Return the sums of the probability that ``referral.doubt`` needs."""
    sums = dict(prob_sum=prob.sum(), prob_in_mask=prob[predicted].sum())
    return {name: round(float(value), 3) for name, value in sums.items()}


def _bins(prob: Tensor, true: Tensor, lung: Tensor | None) -> str:
    within = torch.ones_like(true) if lung is None else lung > 0
    return bins_text(prob[within].float().cpu().numpy(), true[within].cpu().numpy())


def _outline(predicted: np.ndarray, true: np.ndarray, pixel_mm: Sequence[float] | None) -> dict:
    """Return NSD and HD95; empty text where undefined (no infection, or no size in mm)."""
    if pixel_mm is None or not true.any():
        return dict(nsd='', hd95_mm='')
    nsd, hd95_mm = surface_scores(predicted, true, pixel_mm)
    return dict(nsd=nsd, hd95_mm='' if np.isnan(hd95_mm) else hd95_mm)
