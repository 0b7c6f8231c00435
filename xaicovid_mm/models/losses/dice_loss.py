"""Mask losses of compared systems, by the overlap of prediction and mask."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS


@MODELS.register_module()
class DiceLoss(nn.Module):
    """1 - soft Dice of each sample, averaged, as in MultiMix.

    Args:
        smooth: Added to numerator and denominator.
    """

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over samples.

        Args:
            logits: (B, 1, H, W).
            target: Like ``logits``, in [0, 1]; a negative value is ignored.
        """
        return (1 - _soft_dice(logits, target, self.smooth)).mean()


@MODELS.register_module()
class BCEDiceLoss(nn.Module):
    """Binary cross entropy and 1 - soft Dice of the whole batch, as in JCS.

    Args:
        smooth: Added to numerator and denominator.
    """

    def __init__(self, smooth: float = 1e-5) -> None:
        super().__init__()
        self.smooth = smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sum of both.

        Args:
            logits: (B, 1, H, W).
            target: Like ``logits``, in [0, 1]; a negative value is ignored.
        """
        valid = target >= 0
        terms = valid * F.binary_cross_entropy_with_logits(
            logits, target.clamp(min=0), reduction='none'
        )
        whole = _soft_dice(logits.reshape(1, -1), target.reshape(1, -1), self.smooth)
        return terms.sum() / valid.sum().clamp(min=1) + (1 - whole).squeeze()


def _soft_dice(logits: Tensor, target: Tensor, smooth: float) -> Tensor:
    """Soft Dice (B,) in (0, 1], over the pixels that are not ignored."""
    valid = target >= 0
    prob, mask = (valid * logits.sigmoid()).flatten(1), (valid * target).flatten(1)
    overlap = torch.sum(prob * mask, dim=1)
    return (2 * overlap + smooth) / (prob.sum(1) + mask.sum(1) + smooth)
