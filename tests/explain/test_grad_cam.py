"""Grad-CAM."""

import torch
from captum.attr import LayerGradCam
from torch import nn

from xaicovid_mm.explain import grad_cam


def test_grad_cam_by_hand():
    feature = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])

    def classify(f):  # 2 times the mean of the first channel, less that of the second
        return (2 * f[:, 0] - f[:, 1]).mean((1, 2))[:, None]

    # weights 2/2 and -1/2 by pixel, averaged over two pixels: evidence (-0.5, 1.5) before ReLU
    assert grad_cam(classify, feature, 0).flatten().tolist() == [0.0, 1.0]


def test_grad_cam_is_captums_over_its_maximum():
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 5, 3)
    net = nn.Sequential(layer, nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 3)).eval()
    images = torch.rand(2, 1, 8, 8)
    theirs = LayerGradCam(net, layer).attribute(images, target=2, relu_attributions=True)
    ours = grad_cam(net[1:], layer(images), 2)
    torch.testing.assert_close(ours, theirs / theirs.amax((1, 2, 3), keepdim=True))


def test_without_evidence_grad_cam_is_zero():
    found = grad_cam(lambda f: -f.flatten(1), torch.ones(1, 1, 1, 1), 0)
    assert found.item() == 0
