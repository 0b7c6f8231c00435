"""The decoder of the method."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS
from ..conv_block import conv_block


@MODELS.register_module()
class UNetDecodeHead(BaseModule):
    """U-Net decoder over all maps of the backbone; the paper does not describe its decoder.

    It starts at the coarsest map. At each level it enlarges the map to the next finer one,
    concatenates both and applies two conv blocks. A 1x1 convolution gives one logit.

    Args:
        in_channels: Channels of the backbone's maps, finest first.
        negative_slope: Of the LeakyReLU; not in the paper.
        norm_cfg: As in mmcv; default instance norm, as in the encoder.
        init_cfg: As in mmengine; default Kaiming normal for that slope, and a logit that starts
            near 0.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (32, 64, 128, 256, 256),
        negative_slope: float = 0.2,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or dict(
                type='Kaiming',
                layer='Conv2d',
                a=negative_slope,
                nonlinearity='leaky_relu',
                override=dict(type='Normal', name='predict_logit', std=0.01),
            )
        )
        widths = list(reversed(in_channels))
        self.negative_slope, self.norm_cfg = negative_slope, norm_cfg
        self.blocks = nn.ModuleList(
            self.block(coarse + fine, fine)
            for coarse, fine in zip(widths[:-1], widths[1:], strict=True)
        )
        self.predict_logit = nn.Conv2d(widths[-1], 1, 1)

    def block(self, in_channels: int, out_channels: int) -> nn.Sequential:
        """Build the two conv blocks of one level."""
        return nn.Sequential(
            conv_block(in_channels, out_channels, self.negative_slope, self.norm_cfg),
            conv_block(out_channels, out_channels, self.negative_slope, self.norm_cfg),
        )

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map features (B, K_s, h_s, w_s), finest first, to logits (B, 1, h, w), as the finest."""
        x, *skips = reversed(feats)
        for skip, block in zip(skips, self.blocks, strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode='bilinear', align_corners=False)
            x = block(torch.cat((x, skip), dim=1))
        return self.predict_logit(x)
