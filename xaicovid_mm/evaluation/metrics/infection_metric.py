"""How well the infection is delineated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from ...registry import METRICS
from ..segmentation_scores import segmentation_scores
from .slice_records import identity, known, write_csv


@METRICS.register_module()
class InfectionMetric(BaseMetric):
    """Dice and IoU of the infection under named averages, see ``segmentation_scores``.

    Slices whose mask is not known, or that got no ``prob``, are left out and counted in the log.

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
        scores = segmentation_scores(np.array([[1, 0, 0], [0, 0, 0]]), [0, 1], [0, 1])
        return [f'{self.prefix}/{name}' for name in scores]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each slice; masks and ``prob`` are (1, H, W)."""
        for sample in data_samples:
            counts = {}
            if 'infection' in sample and 'prob' in sample:
                found, true = sample['prob'] > self.threshold, sample['infection'] > 0
                counts = dict(
                    tp=int((found & true).sum()),
                    fp=int((found & ~true).sum()),
                    fn=int((~found & true).sum()),
                )
            self.results.append(identity(sample) | counts)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average the counts of all ranks."""
        records = known(results, 'tp', 'infection mask')
        write_csv(records, self.out_file)
        counts = np.array([[r['tp'], r['fp'], r['fn']] for r in records])
        return segmentation_scores(
            counts, [r['case'] for r in records], [r['patient'] for r in records]
        )
