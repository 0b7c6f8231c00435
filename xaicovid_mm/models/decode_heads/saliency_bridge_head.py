"""MultiMix's decoder."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...registry import MODELS
from .unet_decode_head import UNetDecodeHead


@MODELS.register_module()
class SaliencyBridgeHead(UNetDecodeHead):
    """U-Net decoder whose first stage also sees the slice and its saliency.

    Args:
        in_channels: Of the backbone's maps, finest first, the bridge not counted.
        bridge_channels: Of the map that follows them.
        **kwargs: As in ``UNetDecodeHead``.
    """

    def __init__(self, in_channels: Sequence[int], bridge_channels: int = 2, **kwargs: Any) -> None:
        super().__init__(in_channels, **kwargs)
        coarse, fine = in_channels[-1], in_channels[-2]
        self.blocks[0] = self.block(coarse + fine + bridge_channels, fine)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map features and bridge (B, bridge_channels, H, W) to logits (B, 1, h, w)."""
        *fine, second, coarsest, bridge = feats
        size = second.shape[-2:]
        bridge = F.interpolate(bridge, size, mode='bilinear', align_corners=False)
        return super().forward([*fine, torch.cat((second, bridge), dim=1), coarsest])
