"""Dice and IoU from counts, under every average that a paper may mean."""

from collections.abc import Sequence

import numpy as np

EMPTY_SCORE = 1.0
"""What a slice, volume or patient scores that holds no infection and gets none."""


def dice_iou(counts: np.ndarray) -> np.ndarray:
    """Dice = 2TP/(2TP+FP+FN) and IoU = TP/(TP+FP+FN), (..., 2), of counts (..., 3) of TP, FP, FN.

    Where all three are 0 both are ``EMPTY_SCORE``.
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, float), -1, 0)
    with np.errstate(invalid='ignore'):
        both = np.stack([2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)], axis=-1)
    return np.where((tp + fp + fn == 0)[..., None], EMPTY_SCORE, both)


class SegmentationScores:
    """Dice and IoU of slices under named averages, for any weights of their patients.

    Args:
        counts: (N, 3) of TP, FP, FN per slice.
        cases: The volume of each slice.
        patients: The patient of each slice.
    """

    def __init__(self, counts: np.ndarray, cases: Sequence, patients: Sequence) -> None:
        counts = np.asarray(counts, float).reshape(-1, 3)
        names, owner = np.unique(np.asarray(patients), return_inverse=True)
        first, volume = np.unique(np.asarray(cases), return_index=True, return_inverse=True)[1:]
        self.patients = len(names)
        self._by_patient = _summed(counts, owner, len(names))
        everyone = np.arange(len(names))
        sick, ill = _infected(counts), _infected(self._by_patient)
        self._groups = {
            'slice_mean': (dice_iou(counts), owner),
            'infected_slice_mean': (dice_iou(counts[sick]), owner[sick]),
            'volume_mean': (dice_iou(_summed(counts, volume, len(first))), owner[first]),
            'patient_mean': (dice_iou(self._by_patient), everyone),
            'infected_patient_mean': (dice_iou(self._by_patient[ill]), everyone[ill]),
        }
        self._shares = {
            'empty_slice_share': (~sick, owner),
            'empty_slice_perfect_share': (counts[~sick, 1] == 0, owner[~sick]),
        }

    def __call__(self, weights: np.ndarray | None = None) -> dict[str, float]:
        """Score the slices.

        Args:
            weights: (P,) how often each patient, in sorted order, counts; default once.

        Returns:
            ``dice_*`` and ``iou_*`` in [0, 1]: ``slice_mean`` (an empty slice left empty scores 1;
            the paper's reading), ``infected_slice_mean`` (slices with infection only),
            ``volume_mean`` and ``patient_mean`` (counts summed first),
            ``infected_patient_mean`` (patients with infection only) and ``global`` (all counts
            summed). And ``empty_slice_share`` with ``empty_slice_perfect_share``: slices without
            infection, and how many of those got none. An average over nothing is left out.
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
        for name, (is_so, owner) in self._shares.items():
            if weights[owner].any():
                scores[name] = float(np.average(is_so, weights=weights[owner]))
        return scores


def _infected(counts: np.ndarray) -> np.ndarray:
    return counts[:, 0] + counts[:, 2] > 0


def _summed(counts: np.ndarray, group: np.ndarray, number: int) -> np.ndarray:
    sums = np.zeros((number, 3))
    np.add.at(sums, group, counts)
    return sums
