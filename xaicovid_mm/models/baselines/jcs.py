"""The two encoders of JCS (Wu et al., 2021), joined level by level."""

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpretrain.models.backbones import Res2Net
from mmpretrain.models.utils import SELayer
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS
from .vgg16 import DEPTHS, vgg_widths

POOLED_BEFORE = (False, True, True, True, False)
"""Whether a stage begins with a pool: the fourth pool is skipped, Conv4 and Conv5 share a grid."""


@MODELS.register_module()
class JCSEncoder(BaseModule):
    """VGG-16 for the mask, Res2Net for the class; the mask's levels take in the class's features.

    At each of five levels VGG's map is resized to Res2Net's, concatenated with it and goes through
    three convolutions; a sixth level is VGG's alone. Read as: the first group of dilated
    convolutions stands behind Conv5, the second one behind another pool.

    Args:
        in_channels: Channels of the input slice.
        base: Width of the first stage of both; published 64.
        depth: Of the Res2Net; released 101, the paper's default 50.
        init_cfg: As in mmengine; default Kaiming.
    """

    def __init__(
        self, in_channels: int = 1, base: int = 64, depth: int = 50, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d'))
        widths = vgg_widths(base)
        self.classes = Res2Net(
            depth=depth,
            in_channels=in_channels,
            stem_channels=base,
            base_channels=base,
            base_width=26 * base // 64,
            out_indices=(3,),
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(_conv(c, width) for c in [below] + [width] * (depth - 1)))
            for depth, below, width in zip(DEPTHS, (in_channels, *widths), widths, strict=False)
        )
        self.dilated = nn.ModuleList(
            GroupedDilation(widths[-1], rates) for rates in ((1, 3, 6, 9), (1, 2, 3, 4))
        )
        theirs = (base, 4 * base, 8 * base, 16 * base, 32 * base)
        self.joints = nn.ModuleList(
            nn.Sequential(_conv(width + other, width), _conv(width, width), _conv(width, width))
            for width, other in zip(widths, theirs, strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (B, in, H, W) to the decoder's six maps, finest first, and the classifier's one."""
        seen, read = self._masks(x), self._classes(x)
        joined = [
            joint(torch.cat((_resize(mine, other), other), dim=1))
            for joint, mine, other in zip(self.joints, seen, read, strict=False)
        ]
        return (*joined, seen[-1], read[-1])

    def _masks(self, x: Tensor) -> list[Tensor]:
        """VGG's five maps and the sixth."""
        maps = []
        for stage, pooled in zip(self.stages, POOLED_BEFORE, strict=True):
            x = stage(F.max_pool2d(x, 2) if pooled else x)
            maps.append(x)
        near, far = self.dilated
        maps[-1] = near(x)
        return [*maps, far(F.max_pool2d(maps[-1], 2))]

    def _classes(self, x: Tensor) -> list[Tensor]:
        """Res2Net's stem and four stages."""
        maps = [self.classes.stem(x)]
        x = self.classes.maxpool(maps[0])
        for name in self.classes.res_layers:
            x = getattr(self.classes, name)(x)
            maps.append(x)
        return maps


class GroupedDilation(nn.Module):
    """GPD: four groups of channels, each seen at another rate, then squeeze and excitation.

    Args:
        channels: C of the map (B, C, h, w), which keeps its shape.
        rates: Of the dilated convolutions.
    """

    def __init__(self, channels: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        half = channels // 2
        self.widen = nn.Sequential(nn.Conv2d(channels, 2 * channels, 1), nn.ReLU(inplace=True))
        self.groups = nn.ModuleList(
            nn.Conv2d(half, half, 3, padding=rate, dilation=rate) for rate in rates
        )
        self.narrow = nn.Sequential(
            nn.ReLU(inplace=True),
            SELayer(2 * channels, squeeze_channels=channels // 2),
            nn.Conv2d(2 * channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        parts = self.widen(x).chunk(len(self.groups), dim=1)
        seen = [group(part) for group, part in zip(self.groups, parts, strict=True)]
        return self.narrow(torch.cat(seen, dim=1))


def _conv(in_channels: int, out_channels: int) -> ConvModule:
    return ConvModule(in_channels, out_channels, 3, padding=1, norm_cfg=dict(type='BN'))


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode='bilinear', align_corners=False)
