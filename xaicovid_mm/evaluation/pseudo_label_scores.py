"""How good a pseudo label is, source by source, where the truth is known."""

from collections.abc import Hashable

import numpy as np

from .segmentation_scores import SegmentationScores

THRESHOLDS = np.arange(1, 20) / 20  # 0.5 exactly among them
HALF = len(THRESHOLDS) // 2
BINS = 4096
"""Steps in which the average precision tells probabilities apart."""


class PseudoLabelScores:
    """Collect maps of one source and the masks they should be.

    Pixels are counted at every threshold of a fixed grid and in a histogram; nothing else is kept.
    """

    def __init__(self) -> None:
        self._counts: list[np.ndarray] = []
        self._cases: list[Hashable] = []
        self._pixels = np.zeros((2, BINS))  # background, infection

    def add(self, prob: np.ndarray, mask: np.ndarray, case: Hashable) -> None:
        """Count one slice: ``prob`` (H, W) in [0, 1] against ``mask`` (H, W)."""
        true, prob = mask.astype(bool).ravel(), prob.ravel()
        found = prob > THRESHOLDS[:, None]
        tp = (found & true).sum(1)
        self._counts.append(np.stack([tp, found.sum(1) - tp, true.sum() - tp], axis=-1))
        self._cases.append(case)
        level = np.minimum((prob * BINS).astype(int), BINS - 1)
        for row, pixels in zip(self._pixels, (level[~true], level[true]), strict=True):
            row += np.bincount(pixels, minlength=BINS)

    def scores(self) -> dict[str, float]:
        """Score what was collected.

        Returns:
            At 0.5: ``dice_volume_mean`` (a volume without infection that gets none scores 1),
            ``dice_infected_volume_mean`` (volumes with infection only) and ``dice_global``.
            ``dice_infected_volume_mean_oracle_threshold`` at the threshold that is best on these
            very slices, an upper bound; and that ``oracle_threshold``. ``average_precision`` over
            all pixels. What needs an infected pixel is left out where there is none.
        """
        if not self._counts:
            return {}
        at = [
            SegmentationScores(counts, self._cases, self._cases)()
            for counts in np.stack(self._counts, axis=1)
        ]
        scores = {name: at[HALF][name] for name in ('dice_volume_mean', 'dice_global')}
        if self._pixels[1].any():
            means = [found['dice_infected_patient_mean'] for found in at]  # patient = case here
            best = int(np.argmax(means))
            scores |= {
                'dice_infected_volume_mean': means[HALF],
                'dice_infected_volume_mean_oracle_threshold': means[best],
                'oracle_threshold': float(THRESHOLDS[best]),
                'average_precision': self._average_precision(),
            }
        return scores

    def _average_precision(self) -> float:
        """Sum of precision times gain in recall, from the surest pixels down."""
        background, infection = self._pixels[:, ::-1]
        reached = np.flatnonzero(infection)
        precision = np.cumsum(infection) / np.maximum(np.cumsum(background + infection), 1)
        return float((precision[reached] * infection[reached]).sum() / infection.sum())
