"""Encoder, heads and decoder together."""

import torch

from xaicovid_mm.models import MultiScaleCAMHead, MultiScaleVGG, UNetDecodeHead

WIDTHS = (2, 3, 4, 4, 4)


def size_of(module):
    return sum(p.numel() for p in module.parameters())


def test_the_encoder_has_the_papers_shapes_and_number_of_weights():
    vgg = MultiScaleVGG(in_channels=1)
    with torch.no_grad():
        shapes = [tuple(f.shape) for f in vgg(torch.rand(1, 1, 224, 224))]
    assert shapes == [(1, 128, 56, 56), (1, 256, 28, 28), (1, 256, 14, 14)]
    assert size_of(vgg) == 3_677_472
    assert size_of(MultiScaleCAMHead()) == 1_929
    assert size_of(UNetDecodeHead()) == 2_543_649


def test_another_norm_runs_through_encoder_and_decoder():
    norm = dict(type='BN', eps=1e-3)
    vgg = MultiScaleVGG(widths=WIDTHS, out_stages=(1, 2, 3, 4, 5), norm_cfg=norm)
    decoder = UNetDecodeHead(in_channels=WIDTHS, norm_cfg=norm)
    kinds = {type(m) for m in (*vgg.modules(), *decoder.modules()) if hasattr(m, 'eps')}
    assert kinds == {torch.nn.BatchNorm2d}
    assert decoder(vgg(torch.rand(2, 1, 32, 32))).shape == (2, 1, 32, 32)
