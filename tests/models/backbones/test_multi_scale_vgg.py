"""The paper's encoder."""

import pytest
import torch

from xaicovid_mm.models import MultiScaleVGG

WIDTHS = (2, 3, 4, 4, 4)


def test_the_encoder_hardly_knows_the_contrast_of_a_slice():
    vgg, x = MultiScaleVGG(widths=WIDTHS).eval(), torch.rand(1, 1, 64, 64)
    far, near = vgg(x)[-1], vgg(0.5 * x)[-1]
    torch.testing.assert_close(far, near, atol=0.02, rtol=0.02)


@pytest.mark.parametrize('side', [16, 40, 33])
def test_the_encoder_refuses_sides_it_cannot_halve(side):
    with pytest.raises(ValueError, match=f'{side}.*multiples of 16'):
        MultiScaleVGG(widths=WIDTHS)(torch.rand(1, 1, side, side))


@pytest.mark.parametrize('wrong', [dict(depths=(2, 2)), dict(out_stages=(3, 6))])
def test_the_encoder_refuses_stages_that_do_not_exist(wrong):
    with pytest.raises(ValueError):
        MultiScaleVGG(widths=WIDTHS, **wrong)
