"""The networks of the comparison."""

import pytest
import torch
import torchvision
from torch.nn import functional as F

from xaicovid_mm.models.backbones import VGG16, SegNet
from xaicovid_mm.models.calibration import WeightedMean
from xaicovid_mm.models.heads import PooledHead


def test_vgg16_computes_what_torchvisions_does():
    torch.manual_seed(0)
    theirs = torchvision.models.vgg16().features.eval()
    theirs[0] = torch.nn.Conv2d(1, 64, 3, padding=1)
    ours = VGG16().eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    image = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(ours(image)[0], theirs(image))


def test_vgg16_shrinks_with_its_base():
    assert VGG16(base=4)(torch.rand(2, 1, 64, 32))[0].shape == (2, 32, 2, 1)


def test_the_signal_does_not_fade_on_its_way_through_vgg16():
    torch.manual_seed(0)
    vgg = VGG16(base=16)
    vgg.init_weights()
    assert 0.2 < vgg(torch.rand(2, 1, 96, 96))[0].square().mean().sqrt() < 5


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


def test_a_pooled_head_may_take_maxima_before_it_averages():
    """Maxima of the 2x2 blocks of 0..15 are 5, 7, 13, 15; their mean is 10, the plain one 7.5."""
    feats = [torch.arange(16.0).reshape(1, 1, 4, 4)]
    for max_pool, value in ((True, 10.0), (False, 7.5)):
        head = PooledHead(in_channels=1, max_pool=max_pool, num_classes=1)
        head.layers[0].load_state_dict(dict(weight=torch.ones(1, 1), bias=torch.zeros(1)))
        assert head(feats).item() == pytest.approx(value)


def test_a_pooled_head_is_a_linear_map_of_averages():
    head = PooledHead(in_channels=2)
    feats = [torch.rand(3, 5, 8, 8), torch.rand(3, 2, 4, 4)]
    (linear,) = head.layers
    torch.testing.assert_close(head(feats), linear(feats[1].mean((2, 3))))
    labels = torch.tensor([0, 1, 2])
    torch.testing.assert_close(head.loss(feats, labels)['ce'], F.cross_entropy(head(feats), labels))


def test_hidden_layers_come_with_dropout():
    head = PooledHead(in_channels=2, pool_size=2, hidden=(50,)).train()
    feats = [torch.ones(1, 2, 4, 4)]
    assert not torch.equal(head(feats), head(feats))
    assert torch.equal(head.eval()(feats), head(feats)) and head.layers[0].in_features == 8


def test_the_weighted_mean_by_hand():
    maps = (torch.full((1, 1, 1, 1), value) for value in (0.9, 0.6, 0.8))
    found = WeightedMean((0.3, 0.4, 0.4))(*maps)
    assert found.item() == pytest.approx((0.27 + 0.24 + 0.32) / 1.1)


@pytest.mark.parametrize('weights', [(1, 1), (-1, 1, 1), (0, 0, 0)])
def test_weights_without_meaning_are_refused(weights):
    with pytest.raises(ValueError, match='three numbers'):
        WeightedMean(weights)
