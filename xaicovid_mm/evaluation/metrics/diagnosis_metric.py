"""The metric of the classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from ...classes import CLASSES
from ...registry import METRICS
from ..classification_scores import classification_scores, patient_probs
from ..disagreement import CLASS_COLUMN
from .slice_records import keep_known, shared_class, slice_ids, write_records

LEVELS = ('slice', 'patient')


@METRICS.register_module()
class DiagnosisMetric(BaseMetric):
    """Accuracy, sensitivity, specificity and AUC per slice and per patient.

    The probabilities of a patient are the mean over the slices. See ``ClassificationScores``.
    Slices without a known class or without ``scores`` are left out and counted in the log. The log
    also names the classes without slices. Of several predictions of a slice the rows say how far
    they agree.

    Args:
        out_file: CSV file for the class probabilities of every slice. Default: none is written.
        kwargs: Arguments of mmengine's BaseMetric.
    """

    default_prefix = 'cls'

    def __init__(self, out_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out_file = out_file

    def names(self, labels: np.ndarray | None = None) -> list[str]:
        """Return the name of every score that this metric can give.

        Args:
            labels: (N,) classes of the slices, -1 where unknown; default: every class occurs.
        """
        known = np.arange(len(CLASSES)) if labels is None else np.unique(labels[labels >= 0])
        scores = classification_scores(known, np.eye(len(CLASSES))[known]) if len(known) else {}
        return [f'{self.prefix}/{name}_{level}' for name in scores for level in LEVELS]

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the class and the class probabilities ``scores`` (C,) of each slice."""
        for sample in data_samples:
            record: dict[str, Any] = slice_ids(sample)
            if 'label' in sample and 'scores' in sample:
                record['label'] = int(sample['label'])
                for name, prob in zip(CLASSES, sample['scores'], strict=True):
                    record[f'prob_{name}'] = float(prob)
                if 'view_scores' in sample:
                    record[CLASS_COLUMN] = shared_class(sample['view_scores'])
            self.results.append(record)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score the slices of all ranks; scores are in [0, 1]."""
        records = keep_known(results, 'label', 'class')
        write_records(records, self.out_file)
        if not records:
            return {}
        labels = np.array([r['label'] for r in records])
        probs = np.array([[r[f'prob_{k}'] for k in CLASSES] for r in records])
        _warn_of_absent_classes(labels)
        by_patient = patient_probs(labels, probs, [r['patient'] for r in records])
        scores = (classification_scores(*level) for level in ((labels, probs), by_patient))
        return {
            f'{name}_{level}': value
            for level, values in zip(LEVELS, scores, strict=True)
            for name, value in values.items()
        }


def _warn_of_absent_classes(labels: np.ndarray) -> None:
    absent = [name for k, name in enumerate(CLASSES) if k not in labels]
    if not absent:
        return
    rest = len(CLASSES) - len(absent)
    effect = 'averages over classes go without' if rest > 1 else 'no specificity and no AUC'
    MMLogger.get_current_instance().warning(f'no slice of {absent}: {effect}')
