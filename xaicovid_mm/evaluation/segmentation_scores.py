"""Dice and IoU under each of the averages that papers use."""

from collections.abc import Sequence

import numpy as np

from ..utils.overlap import dice_iou


class SegmentationScores:
    """Averages of Dice and IoU over slices, volumes and patients, for given patient weights.

    Args:
        counts: (N, 3) of TP, FP and FN per slice.
        cases: (N,) volume of each slice.
        patients: (N,) patient of each slice.
    """

    def __init__(self, counts: np.ndarray, cases: Sequence, patients: Sequence) -> None:
        counts = np.asarray(counts, float).reshape(-1, 3)
        names, owner = np.unique(np.asarray(patients), return_inverse=True)
        first, volume = np.unique(np.asarray(cases), return_index=True, return_inverse=True)[1:]
        self.patients = len(names)
        self._by_patient = _summed(counts, owner, len(names))
        every_patient = np.arange(len(names))
        infected, sick = _infected(counts), _infected(self._by_patient)
        self._groups = {
            'slice_mean': (dice_iou(counts), owner),
            'infected_slice_mean': (dice_iou(counts[infected]), owner[infected]),
            'volume_mean': (dice_iou(_summed(counts, volume, len(first))), owner[first]),
            'patient_mean': (dice_iou(self._by_patient), every_patient),
            'infected_patient_mean': (dice_iou(self._by_patient[sick]), every_patient[sick]),
        }
        self._shares = {
            'empty_slice_share': (~infected, owner),
            'empty_slice_perfect_share': (counts[~infected, 1] == 0, owner[~infected]),
        }

    def __call__(self, weights: np.ndarray | None = None) -> dict[str, float]:
        """Score the slices.

        Args:
            weights: (P,) how often each patient counts, patients in sorted order. Default: once.

        Returns:
            ``dice_*`` and ``iou_*`` in [0, 1] under these averages: ``slice_mean`` (over all
            slices, our reading of the paper; an empty slice left empty scores 1),
            ``infected_slice_mean`` (over slices with infection), ``volume_mean`` and
            ``patient_mean`` (counts summed per volume or patient first), ``infected_patient_mean``
            (over patients with infection) and ``global`` (counts of all slices summed). Also
            ``empty_slice_share``, the share of slices without infection, and
            ``empty_slice_perfect_share``, the share of those for which none is predicted. An
            average over no items is left out.
        """
        weights = np.ones(self.patients) if weights is None else np.asarray(weights, float)
        scores: dict[str, float] = {}
        for name, (values, owner) in self._groups.items():
            if weights[owner].any():
                mean = np.average(values, axis=0, weights=weights[owner])
                scores[f'dice_{name}'], scores[f'iou_{name}'] = mean.tolist()
        if weights.any():
            scores['dice_global'], scores['iou_global'] = dice_iou(
                weights @ self._by_patient
            ).tolist()
        for name, (holds, owner) in self._shares.items():
            if weights[owner].any():
                scores[name] = float(np.average(holds, weights=weights[owner]))
        return scores


def _infected(counts: np.ndarray) -> np.ndarray:
    return counts[:, 0] + counts[:, 2] > 0


def _summed(counts: np.ndarray, group: np.ndarray, number: int) -> np.ndarray:
    sums = np.zeros((number, 3))
    np.add.at(sums, group, counts)
    return sums
