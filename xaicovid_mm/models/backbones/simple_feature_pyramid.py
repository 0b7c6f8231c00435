"""Maps of several sizes for a plain vision transformer."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Make finer and coarser maps of one map, as a plain ViT has one size only.

    Li et al., Exploring Plain Vision Transformer Backbones for Object Detection, 2022: transposed
    convolutions enlarge the last map, pooling reduces it, and each gets a 1x1 and a 3x3 convolution
    with layer norm over channels. From patches of 16 pixels the strides are 4, 8, 16 and 32.

    Args:
        in_channels: Of the map.
        out_channels: Of each map that is made.
        scales: Size of each map relative to the given one, finest first: 4, 2, 1 or 0.5.
        init_cfg: As in mmengine.

    Raises:
        ValueError: For another scale, or if they do not fall.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        scales: Sequence[float] = (4, 2, 1, 0.5),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not scales or not set(scales) <= {4, 2, 1, 0.5} or [*scales] != sorted({*scales})[::-1]:
            raise ValueError(f'scales={tuple(scales)}: choose of 4, 2, 1 and 0.5, finest first')
        self.branches = nn.ModuleList(
            nn.Sequential(*_branch(in_channels, out_channels, scale)) for scale in scales
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (B, in, h, w) to one (B, out, scale h, scale w) per scale, finest first."""
        return tuple(branch(x) for branch in self.branches)


def _branch(channels: int, out: int, scale: float) -> list[nn.Module]:
    resize: list[nn.Module] = []
    if scale == 4:
        half = channels // 2
        resize = [nn.ConvTranspose2d(channels, half, 2, 2), _layer_norm(half), nn.GELU()]
        channels = half
    if scale > 1:
        resize.append(nn.ConvTranspose2d(channels, channels // 2, 2, 2))
        channels //= 2
    elif scale < 1:
        resize = [nn.MaxPool2d(2)]
    return [
        *resize,
        nn.Conv2d(channels, out, 1, bias=False),
        _layer_norm(out),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
        _layer_norm(out),
    ]


def _layer_norm(channels: int) -> nn.Module:
    return MODELS.build(dict(type='mmpretrain.LN2d', num_channels=channels))
