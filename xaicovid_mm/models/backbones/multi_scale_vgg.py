"""The paper's encoder."""

from collections.abc import Iterator, Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ..conv_block import conv_block


@MODELS.register_module()
class MultiScaleVGG(BaseModule):
    """VGG-16 layout with instance norm and LeakyReLU, one map per stage (Sec. III-B).

    A stage's map is taken before the stage's 2x2 max pool. The fifth stage has no pool, as nothing
    would read it.

    Args:
        in_channels: Channels of the input slice.
        depths: 3x3 convolutions per stage.
        widths: Channels per stage.
        out_stages: Stages to return, counted from 1 as in the paper (3 is Conv3).
        negative_slope: Of the LeakyReLU; not in the paper (MultiMix has 0.2).
        norm_cfg: As in mmcv; default the paper's instance norm, without affine part.
        init_cfg: As in mmengine; default Kaiming normal for that slope.

    Raises:
        ValueError: If ``depths`` and ``widths`` differ in length, or ``out_stages`` names a stage
            that does not exist.
    """

    def __init__(
        self,
        in_channels: int = 1,
        depths: Sequence[int] = (2, 2, 3, 3, 3),
        widths: Sequence[int] = (32, 64, 128, 256, 256),
        out_stages: Sequence[int] = (3, 4, 5),
        negative_slope: float = 0.2,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        kaiming = dict(type='Kaiming', layer='Conv2d', a=negative_slope, nonlinearity='leaky_relu')
        super().__init__(init_cfg or kaiming)
        if len(depths) != len(widths):
            raise ValueError(f'{len(depths)} depths for {len(widths)} widths: give one per stage')
        if not set(out_stages) <= set(range(1, len(widths) + 1)):
            raise ValueError(
                f'out_stages {tuple(out_stages)} asks for more than {len(widths)} stages'
            )
        self.stages = nn.ModuleList(_stages(in_channels, depths, widths, negative_slope, norm_cfg))
        self.out_stages = tuple(out_stages)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map x (B, in, H, W) to one (B, width_s, H/2^(s-1), W/2^(s-1)) per out stage s.

        Raises:
            ValueError: If H or W is no multiple of 2^(stages-1), or so small that the last map is
                a single pixel, for which instance norm is not defined.
        """
        stride = 2 ** (len(self.stages) - 1)
        if any(side % stride or side < 2 * stride for side in x.shape[-2:]):
            raise ValueError(
                f'input {tuple(x.shape[-2:])}: both sides must be multiples of {stride} and at '
                f'least {2 * stride}; prepare the store with such a --size'
            )
        outs = []
        for number, stage in enumerate(self.stages, start=1):
            x = stage(x if number == 1 else self.pool(x))
            if number in self.out_stages:
                outs.append(x)
        return tuple(outs)


def _stages(
    channels: int,
    depths: Sequence[int],
    widths: Sequence[int],
    slope: float,
    norm_cfg: dict | None,
) -> Iterator[nn.Sequential]:
    for depth, width in zip(depths, widths, strict=True):
        ins = [channels] + [width] * (depth - 1)
        yield nn.Sequential(*(conv_block(c, width, slope, norm_cfg) for c in ins))
        channels = width
