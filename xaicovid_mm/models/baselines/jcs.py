"""JCS (Wu et al., 2021): two joined encoders, and a decoder with a loss at every level."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpretrain.models.backbones import Res2Net
from mmpretrain.models.utils import SELayer
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS
from ...utils.precision import at_least_float
from ..multi_task_model import MultiTaskModel
from .vgg16 import DEPTHS, vgg_widths

POOLED_BEFORE = (False, True, True, True, False)
"""Whether a stage begins with a 2x2 max pool; Conv5 has none, so Conv4 and Conv5 share a size."""


@MODELS.register_module()
class JCSModel(MultiTaskModel):
    """A multi-task model whose mask loss is the sum over the side outputs of its decoder.

    Its decode head has ``sides``, see ``JCSDecodeHead``.
    """

    def segmentation_loss(self, feats: Sequence[Tensor], masks: Tensor) -> Tensor:
        """Sum the losses of all side outputs, enlarged to the masks (B, 1, H, W)."""
        size = masks.shape[-2:]
        sides = [
            F.interpolate(at_least_float(side), size, mode='bilinear', align_corners=False)
            for side in self.decode_head.sides(feats)
        ]
        return torch.stack([self.mask_loss(side, masks) for side in sides]).sum()


@MODELS.register_module()
class JCSEncoder(BaseModule):
    """VGG-16 for the mask and Res2Net for the class, joined level by level.

    At each of five levels VGG's map is resized to Res2Net's, concatenated with it and goes through
    three convolutions. A sixth level is VGG's alone.

    Note:
        The text leaves the place of the dilated convolutions open. We put the first group behind
        Conv5 and the second behind one more pool.

    Args:
        in_channels: Channels of the input slice.
        base: Width of the first stage of both; published 64.
        depth: Layers of the Res2Net; 50 in the paper, 101 in the released code.
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
            nn.Sequential(*(_norm_conv(c, width) for c in [below] + [width] * (depth - 1)))
            for depth, below, width in zip(DEPTHS, (in_channels, *widths), widths, strict=False)
        )
        self.dilated = nn.ModuleList(
            GroupedDilation(widths[-1], rates) for rates in ((1, 3, 6, 9), (1, 2, 3, 4))
        )
        res2net_widths = (base, 4 * base, 8 * base, 16 * base, 32 * base)
        self.joints = nn.ModuleList(
            nn.Sequential(*(_norm_conv(c, width) for c in (width + other, width, width)))
            for width, other in zip(widths, res2net_widths, strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (B, in, H, W) to the decoder's six maps, finest first, and the classifier's one."""
        vgg_maps, res2net_maps = self._masks(x), self._classes(x)
        joined = [
            joint(torch.cat((_resize(vgg_map, res2net_map), res2net_map), dim=1))
            for joint, vgg_map, res2net_map in zip(
                self.joints, vgg_maps, res2net_maps, strict=False
            )
        ]
        return (*joined, vgg_maps[-1], res2net_maps[-1])

    def _masks(self, x: Tensor) -> list[Tensor]:
        """Return VGG's five maps and the sixth, finest first."""
        maps = []
        for stage, pooled in zip(self.stages, POOLED_BEFORE, strict=True):
            x = stage(F.max_pool2d(x, 2) if pooled else x)
            maps.append(x)
        near, far = self.dilated
        maps[-1] = near(x)
        return [*maps, far(F.max_pool2d(maps[-1], 2))]

    def _classes(self, x: Tensor) -> list[Tensor]:
        """Return the maps of Res2Net's stem and of its four stages, finest first."""
        maps = [self.classes.stem(x)]
        x = self.classes.maxpool(maps[0])
        for name in self.classes.res_layers:
            x = getattr(self.classes, name)(x)
            maps.append(x)
        return maps


class GroupedDilation(nn.Module):
    """Four groups of channels, each convolved at its own rate, then squeeze and excitation (GPD).

    Args:
        channels: C of the map (B, C, h, w), which keeps its shape.
        rates: Dilation of each group's 3x3 convolution.
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
        dilated = [group(part) for group, part in zip(self.groups, parts, strict=True)]
        return self.narrow(torch.cat(dilated, dim=1))


@MODELS.register_module()
class JCSDecodeHead(BaseModule):
    """Attentive fusion from the coarsest map to the finest, with a side output at each level.

    Args:
        in_channels: Channels of the maps it decodes, finest first.
        in_index: Which of the backbone's maps those are; default the encoder's first six.
        init_cfg: As in mmengine; default Kaiming, and side outputs that start near 0.

    Raises:
        ValueError: If ``in_channels`` and ``in_index`` differ in length.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        in_index: Sequence[int] = (0, 1, 2, 3, 4, 5),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or dict(
                type='Kaiming',
                layer='Conv2d',
                override=dict(type='Normal', name='sides_of', std=0.01),
            )
        )
        if len(in_channels) != len(in_index):
            raise ValueError(
                f'in_channels {tuple(in_channels)} and in_index {tuple(in_index)} must name the '
                'same maps'
            )
        self.in_index = tuple(in_index)
        *fines, coarsest = in_channels
        self.entry = nn.Sequential(
            _plain_conv(coarsest, coarsest, 1), _plain_conv(coarsest, coarsest, 3)
        )
        self.fusions = nn.ModuleList(
            AttentiveFusion(fine, coarse)
            for fine, coarse in zip(fines, in_channels[1:], strict=True)
        )
        self.sides_of = nn.ModuleList(nn.Conv2d(fine, 1, 1) for fine in fines)

    def sides(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Return one logit map (B, 1, h_l, w_l) per level but the coarsest, finest first."""
        *fines, coarsest = [feats[i] for i in self.in_index]
        x = self.entry(coarsest)
        logits = []
        for level, fine in reversed([*enumerate(fines)]):
            x = self.fusions[level](fine, x)
            logits.append(self.sides_of[level](x))
        return logits[::-1]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map features to the finest side output, the result: logits (B, 1, h, w)."""
        return self.sides(feats)[0]


class AttentiveFusion(nn.Module):
    """Fuse a level's own map with the next coarser one, twice, without a norm.

    Args:
        fine: Channels of the level's map and of the result.
        coarse: Channels of the next coarser map.
    """

    def __init__(self, fine: int, coarse: int) -> None:
        super().__init__()
        half = fine // 2
        self.lateral, self.down = _plain_conv(fine, half, 1), _plain_conv(coarse, half, 1)
        self.first = nn.Sequential(
            SELayer(2 * half, squeeze_channels=1), _plain_conv(2 * half, fine, 3)
        )
        self.second = nn.Sequential(
            SELayer(fine + half, squeeze_channels=1),
            _plain_conv(fine + half, fine, 1),
            _plain_conv(fine, fine, 3),
        )

    def forward(self, own: Tensor, below: Tensor) -> Tensor:
        """Fuse (B, fine, h, w) and (B, coarse, h', w') to (B, fine, h, w)."""
        below = F.interpolate(
            self.down(below), own.shape[-2:], mode='bilinear', align_corners=False
        )
        fused = self.first(torch.cat((self.lateral(own), below), dim=1))
        return self.second(torch.cat((fused, below), dim=1))


def _norm_conv(in_channels: int, out_channels: int) -> ConvModule:
    return ConvModule(in_channels, out_channels, 3, padding=1, norm_cfg=dict(type='BN'))


def _plain_conv(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2), nn.ReLU(inplace=True)
    )


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[-2:], mode='bilinear', align_corners=False)
