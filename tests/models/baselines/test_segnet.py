"""SegNet."""

import pytest
import torch

from xaicovid_mm.models import SegNet


def test_segnet_gives_a_map_of_the_slices_size():
    assert SegNet(base=4)(torch.rand(2, 1, 64, 32))[0].shape == (2, 4, 64, 32)


def test_segnet_puts_each_maximum_back_where_it_was():
    net = SegNet(base=2)
    for stage in (*net.down, *net.up):
        for layer in stage:
            layer.forward = lambda x, channels=layer.out_channels: x[:, :1].repeat(
                1, channels, 1, 1
            )
    image = torch.rand(1, 1, 32, 32)
    found = net(image)[0]
    place = (0, slice(None), *divmod(image.argmax().item(), 32))
    assert (found[place] == image.max()).all() and (found != 0).sum() == 2


def test_segnet_names_the_sides_that_it_needs():
    with pytest.raises(ValueError, match=r'\(48, 64\).*multiples of 32'):
        SegNet(base=2)(torch.rand(1, 1, 48, 64))
