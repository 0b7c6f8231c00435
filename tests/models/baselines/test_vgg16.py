"""VGG-16."""

import torch
import torchvision

from xaicovid_mm.models import VGG16


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
