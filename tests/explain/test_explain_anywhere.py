"""Gradients by the input in every mode, type and size of batch."""

import pytest
import torch
from torch import nn

from xaicovid_mm.explain import Saliency, completeness_gap, grad_cam, integrated_gradients

MODES = {'no_grad': torch.no_grad, 'inference_mode': torch.inference_mode}
METHODS = {
    'integrated gradients': lambda net, x: integrated_gradients(lambda y: net(y)[:, 2], x, 3),
    'from an image': lambda net, x: integrated_gradients(
        lambda y: net(y)[:, 2], x, 3, 'log', x / 2
    ),
    'saliency': lambda net, x: Saliency(3)(net, x, 2),
    'saliency from the mean': lambda net, x: Saliency(3, baseline='mean', output='prob')(net, x, 2),
    'saliency from a blur': lambda net, x: Saliency(3, baseline='blur')(net, x, 2),
    'Grad-CAM': lambda net, x: grad_cam(net, x, 2),
    'gap': lambda net, x: completeness_gap(lambda y: net(y)[:, 2], x, x),
}


def network(first=None):
    torch.manual_seed(0)
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True), *pooled
    return nn.Sequential(first or nn.Identity(), *layers).eval()


def images(count=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 1, 16, 16, generator=generator).to(dtype)


@pytest.fixture(params=METHODS.values(), ids=METHODS)
def explain(request):
    return request.param


@pytest.mark.parametrize('mode', MODES.values(), ids=MODES)
def test_without_gradients_around_it_nothing_changes(explain, mode):
    net = network()
    expected = explain(net, images())
    with mode():
        found = explain(net, images())
    assert torch.equal(found, expected)
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize('mode', MODES.values(), ids=MODES)
def test_a_first_layer_that_works_in_place_changes_neither_result_nor_images(explain, mode):
    given, net = images() - 0.5, network(nn.ReLU(inplace=True))
    kept = given.clone()
    with mode():
        found = explain(net, given)
    assert torch.equal(given, kept)
    assert torch.equal(found, explain(network(nn.ReLU()), kept))


@pytest.mark.parametrize('dtype, close', [(torch.float16, 0.02), (torch.bfloat16, 0.15)])
def test_half_precision_comes_back_in_its_type_and_near_the_truth(explain, dtype, close):
    net = network().to(dtype)
    with torch.inference_mode():
        found = explain(net, images(dtype=dtype))
    truth = explain(network().double(), images(dtype=dtype).double())
    assert found.dtype == dtype and truth.dtype in (torch.float64, torch.float32)
    assert (found.double() - truth).abs().mean() <= close * max(truth.abs().mean(), 0.1)


@pytest.mark.parametrize('mode', MODES.values(), ids=MODES)
def test_an_empty_batch_gives_an_empty_map(explain, mode):
    net = network()
    with mode():
        found = explain(net, images(0))
    assert len(found) == 0 and found.shape[1:] in ((1, 16, 16), ())


def test_gray_values_of_eight_bits_are_refused_by_type():
    with pytest.raises(ValueError, match=r'torch\.uint8'):
        grad_cam(network(), images().byte(), 2)
    with pytest.raises(ValueError, match=r'torch\.uint8'):
        integrated_gradients(lambda x: x.float().sum((1, 2, 3)), images().byte(), 1, 'right')


def test_a_score_without_a_gradient_is_named():
    net = torch.no_grad()(network())
    with pytest.raises(ValueError, match='under no_grad'):
        integrated_gradients(lambda x: net(x)[:, 0], images(), 2)


def test_a_network_made_under_inference_mode_is_named():
    with torch.inference_mode():
        net = network()
        with pytest.raises(ValueError, match='made or changed under inference_mode'):
            grad_cam(net, images(), 0)
