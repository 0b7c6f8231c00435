"""The saliency of the infection: Eq. (7) for the decoder over the predicted mask."""

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from xaicovid_mm.explain import (
    Saliency,
    completeness_gap,
    infection_score,
    integrated_gradients,
)


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 1, 3, padding=1)
    return nn.Sequential(*layers).double()


@pytest.fixture
def images():
    return torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.double)


@pytest.fixture
def masks(images):
    return images > 0.6


def test_it_is_the_mean_logit_inside_each_mask_and_0_without_one(images):
    masks = torch.zeros_like(images, dtype=torch.bool)
    masks[0, 0, 2, 3:5], masks[1] = True, True
    score = infection_score(lambda x: 3 * x, masks)
    by_hand = [3 * (images[0, 0, 2, 3] + images[0, 0, 2, 4]) / 2, 3 * images[1].mean(), 0]
    torch.testing.assert_close(score(images), torch.tensor(by_hand, dtype=torch.double))
    twice = score(torch.cat([images, images / 2]))
    torch.testing.assert_close(twice, torch.cat([score(images), score(images) / 2]))


@pytest.mark.parametrize('ours, captums', [('right', 'riemann_right'), ('gauss', 'gausslegendre')])
def test_captum_agrees(decoder, images, masks, ours, captums):
    score = infection_score(decoder, masks)
    expected = IntegratedGradients(score).attribute(images, n_steps=6, method=captums)
    found = integrated_gradients(score, images, 6, ours)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-6)


def test_the_attributions_sum_to_the_rise_of_the_logit(decoder, images, masks):
    score = infection_score(decoder, masks)
    found = integrated_gradients(score, images, 16, 'gauss')
    rise = score(images) - score(torch.zeros_like(images))
    torch.testing.assert_close(found.flatten(1).sum(1), rise, atol=1e-6, rtol=0)
    assert completeness_gap(score, images, found).abs().max() < 1e-6 < rise.abs().min()


def test_only_what_reaches_the_mask_is_marked(decoder, images):
    masks = torch.zeros_like(images, dtype=torch.bool)
    masks[..., 1, 1] = True
    maps = Saliency(4).of(infection_score(decoder, masks), images)
    reached = torch.zeros_like(masks)
    reached[..., :4, :4] = True  # two 3x3 convolutions
    assert maps.max() == 1 and not maps[~reached].any() and maps[reached].any()
