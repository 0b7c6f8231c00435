"""SegNet (Badrinarayanan et al.): the decoder puts each maximum back where the pool found it."""

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS
from .vgg16 import DEPTHS, vgg_widths


@MODELS.register_module()
class SegNet(BaseModule):
    """VGG-16 with batch norm as encoder and its mirror as decoder, joined by pooling indices.

    Encoder and decoder stand here together, as the backbone. A 1x1 head on its one map completes
    the network.

    Args:
        in_channels: Channels of the input slice.
        base: Width of the first stage.
        init_cfg: As in mmengine; default Kaiming.
    """

    def __init__(self, in_channels: int = 1, base: int = 64, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d'))
        widths = vgg_widths(base)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for depth, below, width in zip(DEPTHS, (in_channels, *widths), widths, strict=False):
            self.down.append(_stage([below, *[width] * depth]))
            self.up.insert(0, _stage([*[width] * depth, max(below, base)]))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map (B, in, H, W) to one map (B, base, H, W).

        Raises:
            ValueError: If H or W is no multiple of 32.
        """
        if any(side % 2 ** len(DEPTHS) for side in x.shape[-2:]):
            raise ValueError(f'input {tuple(x.shape[-2:])}: SegNet needs multiples of 32')
        indices_by_stage = []
        for stage in self.down:
            x, indices = F.max_pool2d(stage(x), 2, return_indices=True)
            indices_by_stage.append(indices)
        for stage, indices in zip(self.up, reversed(indices_by_stage), strict=True):
            x = stage(F.max_unpool2d(x, indices, [2, 2]))
        return (x,)


def _stage(channels: list[int]) -> nn.Sequential:
    pairs = zip(channels[:-1], channels[1:], strict=True)
    return nn.Sequential(
        *(ConvModule(a, b, 3, padding=1, norm_cfg=dict(type='BN')) for a, b in pairs)
    )
