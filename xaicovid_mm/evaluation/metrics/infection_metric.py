"""How well the infection is delineated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from ...registry import METRICS
from ..slice_scores import infection_score
from ..surface_scores import surface_scores
from .slice_records import identity, known, write_csv


@METRICS.register_module()
class InfectionMetric(BaseMetric):
    """Dice and IoU of the infection, NSD and HD95 of its outline, under named averages.

    See ``SegmentationScores`` and ``SurfaceScores``; the latter need slices whose size in mm is
    known, neither turned nor scaled on the way from the store. Slices whose mask is not known, or
    that got no ``prob``, are left out and counted in the log.

    Args:
        threshold: On ``prob``; not in the paper.
        out_file: CSV for the counts of every slice.
        kwargs: Of mmengine's BaseMetric.
    """

    default_prefix = 'seg'

    def __init__(self, threshold: float = 0.5, out_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold, self.out_file = threshold, out_file

    def names(self) -> list[str]:
        """Every score that this metric can give."""
        counts = dict(tp=1, fp=0, fn=0, nsd=1, hd95_mm=0)
        rows = [dict(case=k, patient=k, **counts) for k in 'ab']
        rows[1].update(tp=0, nsd='', hd95_mm='')
        return [f'{self.prefix}/{name}' for name in infection_score(rows)(np.ones(2))]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each slice; masks and ``prob`` are (1, H, W)."""
        for sample in data_samples:
            counts: dict[str, Any] = {}
            if 'infection' in sample and 'prob' in sample:
                found, true = sample['prob'] > self.threshold, sample['infection'] > 0
                counts = dict(
                    tp=int((found & true).sum()),
                    fp=int((found & ~true).sum()),
                    fn=int((~found & true).sum()),
                ) | _outline(found[0].cpu().numpy(), true[0].cpu().numpy(), sample['pixel_mm'])
            self.results.append(identity(sample) | counts)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average the counts of all ranks."""
        records = known(results, 'tp', 'infection mask')
        write_csv(records, self.out_file)
        return infection_score(records)(np.ones(len({r['patient'] for r in records})))


def _outline(found: np.ndarray, true: np.ndarray, pixel_mm: Sequence[float] | None) -> dict:
    """NSD and HD95, empty where they are not defined: no infection, or no size in mm."""
    if pixel_mm is None or not true.any():
        return dict(nsd='', hd95_mm='')
    nsd, hd95_mm = surface_scores(found, true, pixel_mm)
    return dict(nsd=nsd, hd95_mm='' if np.isnan(hd95_mm) else hd95_mm)
