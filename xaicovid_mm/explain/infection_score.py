"""The predicted infection and the score that its saliency explains. Not in the paper."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from torch import Tensor

from .integrated_gradients import Score

Masks = TypeVar('Masks', np.ndarray, Tensor)


def infection_mask(prob: Masks, threshold: float, min_area: float = 0.0) -> Masks:
    """Return where a slice is infected; a slice with very little infection has none.

    It is the same in a test, a report and an explanation.

    Args:
        prob: (..., H, W) in [0, 1], 0 outside the lungs.
        threshold: Above it a pixel is infected.
        min_area: Least share of a slice's H x W pixels. A slice with fewer is left empty.

    Returns:
        bool (..., H, W).
    """
    mask = prob > threshold
    height, width = mask.shape[-2:]
    least = min_area * height * width - 1e-6  # 0.07 x 100 x 100 is 700.0000000000001
    return mask & (mask.sum((-2, -1))[..., None, None] >= least)


def infection_score(segment: Callable[[Tensor], Tensor], masks: Tensor) -> Score:
    """Return F of Eq. (7) for the infection: the mean logit of the decoder over a fixed mask.

    The mask is that of the slice itself and does not move along the path.

    Args:
        segment: Maps images (B, 1, H, W) to infection logits (B, 1, H, W).
        masks: bool (B, 1, H, W), one a slice. F is 0 where a mask is empty.

    Returns:
        Maps images (T B, 1, H, W), T steps of the B slices one after the other, to (T B,).
    """

    def score(images: Tensor) -> Tensor:
        inside = masks.repeat(len(images) // max(len(masks), 1), 1, 1, 1)
        return (segment(images) * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)

    return score
