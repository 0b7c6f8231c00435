"""Scores of pseudo labels against known masks. Not in the paper."""

from collections.abc import Hashable

import numpy as np

from .calibration_error import calibration_error
from .segmentation_scores import SegmentationScores
from .threshold_choice import THRESHOLDS

HALF = len(THRESHOLDS) // 2
BINS = 4096
"""Number of probability levels that the average precision tells apart."""


class PseudoLabelScores:
    """Collect the maps of one source of pseudo labels and score them against the true masks.

    Pixels are counted at each of ``THRESHOLDS`` and in a histogram; the maps are not kept.
    """

    def __init__(self) -> None:
        self._counts: list[np.ndarray] = []
        self._cases: list[Hashable] = []
        self._pixels = np.zeros((2, BINS))  # background, infection

    def add(
        self,
        prob: np.ndarray,
        mask: np.ndarray,
        case: Hashable,
        lung: np.ndarray | None = None,
    ) -> None:
        """Add one slice.

        Args:
            prob: (H, W) map in [0, 1].
            mask: (H, W) true mask; infection where not 0.
            case: Volume of the slice.
            lung: (H, W) bool, the pixels that average precision and calibration error are about;
                default all. Dice is about all pixels.
        """
        true, prob = mask.astype(bool).ravel(), prob.ravel()
        predicted = prob > THRESHOLDS[:, None]
        tp = (predicted & true).sum(1)
        self._counts.append(np.stack([tp, predicted.sum(1) - tp, true.sum() - tp], axis=-1))
        self._cases.append(case)
        level = np.minimum((prob * BINS).astype(int), BINS - 1)
        of_interest = np.ones_like(true) if lung is None else lung.ravel()
        groups = (level[of_interest & ~true], level[of_interest & true])
        for row, pixels in zip(self._pixels, groups, strict=True):
            row += np.bincount(pixels, minlength=BINS)

    def scores(self) -> dict[str, float]:
        """Score the slices added so far.

        Returns:
            At the threshold 0.5: ``dice_volume_mean`` (a volume without infection for which none
            is predicted scores 1), ``dice_infected_volume_mean`` (volumes with infection only)
            and ``dice_global``. At the threshold that is best on these slices, an upper bound:
            ``dice_infected_volume_mean_oracle_threshold``, and that ``oracle_threshold``.
            ``average_precision`` and ``calibration_error`` (expected, in ten bins of equal width)
            over the pixels of interest. All are in [0, 1]. Scores that need infected pixels are
            left out if there are none, and all are if there are no slices.
        """
        if not self._counts:
            return {}
        by_threshold = [
            SegmentationScores(counts, self._cases, self._cases)()
            for counts in np.stack(self._counts, axis=1)
        ]
        scores = {name: by_threshold[HALF][name] for name in ('dice_volume_mean', 'dice_global')}
        if self._pixels[1].any():
            # Cases were given as the patients above.
            means = [scores_at['dice_infected_patient_mean'] for scores_at in by_threshold]
            best = int(np.argmax(means))
            scores |= {
                'dice_infected_volume_mean': means[HALF],
                'dice_infected_volume_mean_oracle_threshold': means[best],
                'oracle_threshold': float(THRESHOLDS[best]),
                'average_precision': self._average_precision(),
                'calibration_error': self._calibration_error(),
            }
        return scores

    def _average_precision(self) -> float:
        """Sum of precision times gain in recall, from the highest probability down."""
        background, infection = self._pixels[:, ::-1]
        reached = np.flatnonzero(infection)
        precision = np.cumsum(infection) / np.maximum(np.cumsum(background + infection), 1)
        return float((precision[reached] * infection[reached]).sum() / infection.sum())

    def _calibration_error(self) -> float:
        """Mean gap between probability and share of infection, weighted by pixels."""
        centres = (np.arange(BINS) + 0.5) / BINS
        bins = np.minimum((centres * 10).astype(int), 9)
        pixels, infected, said = (
            np.bincount(bins, values)
            for values in (self._pixels.sum(0), self._pixels[1], self._pixels.sum(0) * centres)
        )
        return calibration_error(infected - said, pixels)
