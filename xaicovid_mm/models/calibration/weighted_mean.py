"""The calibration without the sharpen combination (Table V, "w/o sharpen")."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...registry import MODELS


@MODELS.register_module()
class WeightedMean(nn.Module):
    """The weighted mean of the maps: no norm, softmax or sharpening.

    With the weights (0, 0, 1) it is the decoder's own probability, as in consistency methods.

    Args:
        weights: For caam, saliency and prob; they are divided by their sum.

    Raises:
        ValueError: For negative or all-zero weights.
    """

    def __init__(self, weights: Sequence[float] = (0.3, 0.4, 0.4)) -> None:
        super().__init__()
        if len(weights) != 3 or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f'weights={tuple(weights)}: give three numbers >= 0, not all 0')
        self.weights = [weight / sum(weights) for weight in weights]

    def forward(
        self, caam: Tensor, saliency: Tensor, prob: Tensor, covid: Tensor | None = None
    ) -> Tensor:
        """Return the mean (B, 1, H, W) of three maps (B, 1, H, W) in [0, 1]; no ``covid``."""
        maps = (caam, saliency, prob)
        parts = [weight * m for weight, m in zip(self.weights, maps, strict=True)]
        return torch.stack(parts).sum(0)

    def background_floor(self) -> float:
        """Return the soft label of a pixel that every map calls background."""
        return 0.0
