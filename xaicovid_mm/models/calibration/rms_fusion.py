"""PseudoSeg's calibration of its two sources."""

import torch
from torch import Tensor, nn

from ...registry import MODELS
from .sharpen_combination import sharpen


@MODELS.register_module()
class RMSFusion(nn.Module):
    """Divide logits by their root mean square, then softmax, mean and Sharpen (Zou et al.).

    The root mean square is over both sources and all pixels of the batch, so the label of a slice
    depends on the other slices of the batch.

    Args:
        temperature: T of the sharpening, above 0; a value below 1 sharpens.

    Raises:
        ValueError: For a temperature not above 0.
    """

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature={temperature} must be above 0')
        self.temperature = temperature

    def forward(self, decoded: Tensor, refined: Tensor) -> Tensor:
        """Return the soft mask (B, 1, H, W) in (0, 1) of two logit maps (B, 2, H, W)."""
        logits = torch.stack((decoded, refined))
        rms = logits.square().mean().add(1e-8).sqrt()
        fused = (logits / rms).softmax(2).mean(0)
        return sharpen(fused, self.temperature)[:, 1:]

    def background_floor(self) -> float:
        """Return the soft label of a pixel that both sources clearly call background."""
        clear = torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)
        return self(clear, clear).item()
