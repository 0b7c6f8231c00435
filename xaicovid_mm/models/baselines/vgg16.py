"""VGG-16 (Simonyan and Zisserman), of any width; its linear layers are a ``PooledHead``."""

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS

DEPTHS = (2, 2, 3, 3, 3)


@MODELS.register_module()
class VGG16(BaseModule):
    """The convolutions of VGG-16, each stage with its pool.

    mmpretrain's VGG takes three channels and has fixed widths; the widths of this one follow
    ``base``.

    Args:
        in_channels: Channels of the input slice.
        base: Width of the first stage; the stages have 1, 2, 4, 8 and 8 times as many.
        norm_cfg: As in mmcv; default none.
        init_cfg: As in mmengine; default Kaiming with the mode fan_in, so that without a norm the
            signal does not fade from stage to stage.
    """

    def __init__(
        self,
        in_channels: int = 1,
        base: int = 64,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d', mode='fan_in'))
        layers: list[nn.Module] = []
        channels = in_channels
        for depth, width in zip(DEPTHS, vgg_widths(base), strict=True):
            for _ in range(depth):
                layers.append(ConvModule(channels, width, 3, padding=1, norm_cfg=norm_cfg))
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map (B, in, H, W) to one map (B, 8 base, H/32, W/32)."""
        return (self.features(x),)


def vgg_widths(base: int) -> tuple[int, ...]:
    """Return the channels of the five stages."""
    return base, 2 * base, 4 * base, 8 * base, 8 * base
