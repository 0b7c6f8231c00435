"""How good a pseudo label is, source by source, where the truth is known."""

from collections.abc import Hashable

import numpy as np

from .segmentation_scores import segmentation_scores

THRESHOLDS = np.linspace(0.05, 0.95, 19)


class SourceQuality:
    """Collect maps of one source and the masks they should be.

    Pixels are counted at every threshold of a fixed grid; nothing else is kept.
    """

    def __init__(self) -> None:
        self._counts: list[np.ndarray] = []
        self._cases: list[Hashable] = []

    def add(self, prob: np.ndarray, mask: np.ndarray, case: Hashable) -> None:
        """Count one slice: ``prob`` (H, W) in [0, 1] against ``mask`` (H, W)."""
        true = mask.astype(bool).ravel()
        found = prob.ravel() > THRESHOLDS[:, None]
        tp = (found & true).sum(1)
        self._counts.append(np.stack([tp, found.sum(1) - tp, true.sum() - tp], axis=-1))
        self._cases.append(case)

    def scores(self) -> dict[str, float]:
        """Dice per case.

        Returns:
            ``dice_infected_volume_mean`` at 0.5, over the volumes with infection;
            ``dice_infected_volume_mean_oracle_threshold`` at the threshold that
            is best on these very slices, an upper bound; and that ``oracle_threshold``.
        """
        counts = np.stack(self._counts, axis=1)
        means = [
            segmentation_scores(at, self._cases, self._cases)['dice_infected_patient_mean']
            for at in counts
        ]
        best = int(np.argmax(means))
        return {
            'dice_infected_volume_mean': means[len(THRESHOLDS) // 2],
            'dice_infected_volume_mean_oracle_threshold': means[best],
            'oracle_threshold': float(THRESHOLDS[best]),
        }
