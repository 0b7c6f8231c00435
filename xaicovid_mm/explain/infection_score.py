"""What the saliency of the infection explains: the mask, not the class. Not in the paper."""

from collections.abc import Callable

from torch import Tensor

from .integrated_gradients import Score


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
