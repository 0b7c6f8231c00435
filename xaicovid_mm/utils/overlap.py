"""Dice and IoU of masks."""

import numpy as np

EMPTY_SCORE = 1.0
"""Score of a slice, volume or patient without infection for which none is predicted."""


def dice_iou(counts: np.ndarray) -> np.ndarray:
    """Return Dice = 2TP/(2TP+FP+FN) and IoU = TP/(TP+FP+FN) as (..., 2).

    Args:
        counts: (..., 3) of TP, FP and FN. If all three are 0, both scores are ``EMPTY_SCORE``.
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, float), -1, 0)
    with np.errstate(invalid='ignore'):
        both = np.stack([2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)], axis=-1)
    return np.where((tp + fp + fn == 0)[..., None], EMPTY_SCORE, both)


def mask_dice(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Dice of two bool masks of one shape, in [0, 1], see ``dice_iou``."""
    both = np.count_nonzero(one & other)
    counts = both, np.count_nonzero(one) - both, np.count_nonzero(other) - both
    return float(dice_iou(np.array(counts))[0])
