"""The block that encoder and decoder are made of."""

from mmcv.cnn import build_norm_layer
from torch import nn


def conv_block(
    in_channels: int, out_channels: int, negative_slope: float, norm_cfg: dict | None = None
) -> nn.Sequential:
    """3x3 convolution, norm, LeakyReLU: (B, in, H, W) -> (B, out, H, W), Sec. III-B.

    The norm is instance norm unless ``norm_cfg`` names another. We read the paper's as one without
    affine part and running statistics. It is computed as group norm with a group for each channel,
    which is the same function and faster. A norm removes any bias, so the convolution has none.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        negative_slope: Of the LeakyReLU; not in the paper.
        norm_cfg: As in mmcv.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        _norm(out_channels, norm_cfg),
        nn.LeakyReLU(negative_slope, inplace=True),
    )


def _norm(channels: int, norm_cfg: dict | None) -> nn.Module:
    if norm_cfg:
        return build_norm_layer(norm_cfg, channels)[1]
    return nn.GroupNorm(channels, channels, affine=False)
