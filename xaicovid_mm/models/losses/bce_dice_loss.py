"""Cross entropy and Dice together."""

from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS
from .dice_loss import soft_dice
from .weighted_bce_loss import bce_lower_bound


@MODELS.register_module()
class BCEDiceLoss(nn.Module):
    """Binary cross entropy and 1 - soft Dice of the whole batch, as in JCS.

    The Dice term looks at all slices of a batch together, so that a slice without infection does
    not weigh as much as one with it. With soft labels of a rare class the cross entropy alone
    teaches the right order of pixels and the wrong level; the Dice term keeps the level.

    Args:
        smooth: Added to numerator and denominator.
        bce_weight: Weight of the cross entropy; JCS has 1.
        dice_weight: Weight of 1 - Dice; JCS has 1.

    Raises:
        ValueError: For a negative weight, or if both are 0.
    """

    min_bg_weight = 1.0
    """The cross entropy weighs background as it is, see ``WeightedBCELoss``."""

    def __init__(
        self, smooth: float = 1e-5, bce_weight: float = 1.0, dice_weight: float = 1.0
    ) -> None:
        super().__init__()
        if min(bce_weight, dice_weight) < 0 or not bce_weight + dice_weight:
            raise ValueError(
                f'bce_weight={bce_weight}, dice_weight={dice_weight}: give numbers >= 0, not both 0'
            )
        self.smooth, self.bce_weight, self.dice_weight = smooth, bce_weight, dice_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the weighted sum of both.

        Args:
            logits: (B, 1, H, W).
            target: Like ``logits``, in [0, 1]; a negative value is ignored.
        """
        valid = target >= 0
        terms = valid * F.binary_cross_entropy_with_logits(
            logits, target.clamp(min=0), reduction='none'
        )
        whole = soft_dice(logits.reshape(1, -1), target.reshape(1, -1), self.smooth)
        bce = terms.sum() / valid.sum().clamp(min=1)
        return self.bce_weight * bce + self.dice_weight * (1 - whole).squeeze()

    def lower_bound(self, target: Tensor) -> Tensor:
        """Return the entropy of soft labels, which no logits get below; 0 for the Dice term."""
        return self.bce_weight * bce_lower_bound(target)
