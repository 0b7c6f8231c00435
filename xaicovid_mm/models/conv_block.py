"""The one block that encoder and decoder share."""

from torch import nn


def conv_block(in_channels: int, out_channels: int, negative_slope: float) -> nn.Sequential:
    """3x3 convolution, instance norm, LeakyReLU: (B, in, H, W) -> (B, out, H, W), Sec. III-B.

    The norm has no affine part and no running statistics; it removes any bias, so the
    convolution has none.
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.InstanceNorm2d(out_channels),
        nn.LeakyReLU(negative_slope, inplace=True),
    )
