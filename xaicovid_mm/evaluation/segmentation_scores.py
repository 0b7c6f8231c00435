"""Dice and IoU from counts, under every average that a paper may mean."""

from collections.abc import Hashable, Sequence

import numpy as np

EMPTY_SCORE = 1.0
"""What a slice or volume scores that holds no infection and gets none."""


def dice_iou(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dice = 2TP/(2TP+FP+FN) and IoU = TP/(TP+FP+FN) of counts (..., 3) of TP, FP, FN.

    Where all three are 0 both are ``EMPTY_SCORE``.
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, float), -1, 0)
    empty = tp + fp + fn == 0
    with np.errstate(invalid='ignore'):
        dice, iou = 2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)
    return np.where(empty, EMPTY_SCORE, dice), np.where(empty, EMPTY_SCORE, iou)


def segmentation_scores(
    counts: np.ndarray, cases: Sequence[Hashable], patients: Sequence[Hashable]
) -> dict[str, float]:
    """Score slices under named averages.

    Args:
        counts: (N, 3) of TP, FP, FN per slice.
        cases: The volume of each slice.
        patients: The patient of each slice.

    Returns:
        ``dice_*`` and ``iou_*`` in [0, 1]: ``slice_mean`` (an empty slice left empty scores 1; the
        paper's reading), ``infected_slice_mean`` (slices with infection only),
        ``volume_mean`` and ``patient_mean`` (counts summed first), ``infected_patient_mean``
        (patients with infection only) and ``global`` (all counts summed). And
        ``empty_slice_share`` with ``empty_slice_perfect_share``: slices without infection, and how
        many of those got none. An average over nothing is left out.
    """
    counts = np.asarray(counts, float).reshape(-1, 3)
    infected = counts[:, 0] + counts[:, 2] > 0
    by_patient = _summed(counts, patients)
    groups = {
        'slice_mean': counts,
        'infected_slice_mean': counts[infected],
        'volume_mean': _summed(counts, cases),
        'patient_mean': by_patient,
        'infected_patient_mean': by_patient[by_patient[:, 0] + by_patient[:, 2] > 0],
        'global': counts.sum(0, keepdims=True),
    }
    scores = {}
    for name, group in groups.items():
        if len(group):
            dice, iou = dice_iou(group)
            scores[f'dice_{name}'], scores[f'iou_{name}'] = float(dice.mean()), float(iou.mean())
    if len(counts):
        scores['empty_slice_share'] = float((~infected).mean())
    if (~infected).any():
        scores['empty_slice_perfect_share'] = float((counts[~infected, 1] == 0).mean())
    return scores


def _summed(counts: np.ndarray, keys: Sequence[Hashable]) -> np.ndarray:
    names = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    sums = np.zeros((len(names), 3))
    np.add.at(sums, [names[key] for key in keys], counts)
    return sums
