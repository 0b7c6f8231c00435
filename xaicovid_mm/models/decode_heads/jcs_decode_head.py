"""The decoder of JCS (Wu et al., 2021)."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpretrain.models.utils import SELayer
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS


@MODELS.register_module()
class JCSDecodeHead(BaseModule):
    """Attentive fusion from the coarsest map to the finest, with a side output at each level.

    Args:
        in_channels: Channels of the maps it decodes, finest first; maps after these are not read.
        init_cfg: As in mmengine; default Kaiming, and side outputs that start near 0.
    """

    def __init__(self, in_channels: Sequence[int], init_cfg: dict | None = None) -> None:
        super().__init__(
            init_cfg
            or dict(
                type='Kaiming',
                layer='Conv2d',
                override=dict(type='Normal', name='sides_of', std=0.01),
            )
        )
        self.levels = len(in_channels)
        *fines, coarsest = in_channels
        self.entry = nn.Sequential(_conv(coarsest, coarsest, 1), _conv(coarsest, coarsest, 3))
        self.fusions = nn.ModuleList(
            AttentiveFusion(fine, coarse)
            for fine, coarse in zip(fines, in_channels[1:], strict=True)
        )
        self.sides_of = nn.ModuleList(nn.Conv2d(fine, 1, 1) for fine in fines)

    def sides(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """One logit map (B, 1, h_l, w_l) per level but the coarsest, finest first."""
        x = self.entry(feats[self.levels - 1])
        found = []
        for level in reversed(range(self.levels - 1)):
            x = self.fusions[level](feats[level], x)
            found.append(self.sides_of[level](x))
        return found[::-1]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map features to the finest side output, the result: (B, 1, h, w)."""
        return self.sides(feats)[0]


class AttentiveFusion(nn.Module):
    """What comes from below is weighed against the level's own map, twice; no norm.

    Args:
        fine: Channels of the level's map and of the result.
        coarse: Channels of what comes from below.
    """

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        half = fine // 2
        self.lateral, self.down = _conv(fine, half, 1), _conv(coarse, half, 1)
        self.first = nn.Sequential(SELayer(2 * half, squeeze_channels=1), _conv(2 * half, fine, 3))
        self.second = nn.Sequential(
            SELayer(fine + half, squeeze_channels=1),
            _conv(fine + half, fine, 1),
            _conv(fine, fine, 3),
        )

    def forward(self, own: Tensor, below: Tensor) -> Tensor:
        """Fuse (B, fine, h, w) and (B, coarse, h', w') to (B, fine, h, w)."""
        below = F.interpolate(
            self.down(below), own.shape[-2:], mode='bilinear', align_corners=False
        )
        fused = self.first(torch.cat((self.lateral(own), below), dim=1))
        return self.second(torch.cat((fused, below), dim=1))


def _conv(in_channels: int, out_channels: int, side: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, side, padding=side // 2), nn.ReLU(inplace=True)
    )
