"""The overlap of prediction and mask as a loss."""

import torch
from torch import Tensor, nn

from ...registry import MODELS


@MODELS.register_module()
class DiceLoss(nn.Module):
    """1 - soft Dice of each sample, averaged, as in MultiMix.

    Args:
        smooth: Added to numerator and denominator.
    """

    min_bg_weight = 1.0
    """Background counts as it is, see ``WeightedBCELoss``."""

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over samples; 0 if there is none.

        Args:
            logits: (B, 1, H, W).
            target: Like ``logits``, in [0, 1]; a negative value is ignored.
        """
        return (1 - soft_dice(logits, target, self.smooth)).sum() / max(len(logits), 1)


def soft_dice(logits: Tensor, target: Tensor, smooth: float) -> Tensor:
    """Return the soft Dice (B,) in (0, 1], over the pixels that are not ignored.

    Args:
        logits: (B, ...).
        target: Like ``logits``, in [0, 1]; a negative value is ignored.
        smooth: Added to numerator and denominator.
    """
    valid = target >= 0
    prob, mask = (valid * logits.sigmoid()).flatten(1), (valid * target).flatten(1)
    overlap = torch.sum(prob * mask, dim=1)
    return (2 * overlap + smooth) / (prob.sum(1) + mask.sum(1) + smooth)
