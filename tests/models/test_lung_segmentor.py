"""The lung network."""

import pytest
import torch
from torch.nn import functional as F

from xaicovid_mm.models import LungSegmentor
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4)


@pytest.fixture
def model():
    torch.manual_seed(0)
    backbone = dict(type='MultiScaleVGG', depths=(1, 1, 1), widths=WIDTHS, out_stages=(1, 2, 3))
    model = LungSegmentor(backbone, dict(type='UNetDecodeHead'), size=16)
    model.init_weights()
    return model


def batch():
    lung = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    lung[:, :, 4:12, 4:12] = True
    return torch.rand(2, 1, 16, 16), [CTSample(lung=mask) for mask in lung]


def test_the_loss_is_the_mean_binary_cross_entropy(model):
    images, samples = batch()
    masks = torch.stack([sample.lung for sample in samples]).float()
    expected = F.binary_cross_entropy_with_logits(model(images), masks)
    losses = model(images, samples, mode='loss')
    assert list(losses) == ['loss_lung']
    torch.testing.assert_close(losses['loss_lung'], expected)


def test_predict_gives_probabilities_to_every_sample(model):
    images, samples = batch()
    found = model(images, samples, mode='predict')
    probs = torch.stack([sample.lung_prob for sample in found])
    torch.testing.assert_close(probs, model(images).sigmoid())


def test_it_learns_a_square(model):
    images, samples = batch()
    images = images * 0.1 + torch.stack([sample.lung for sample in samples])
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(60):
        optimizer.zero_grad()
        model(images, samples, mode='loss')['loss_lung'].backward()
        optimizer.step()
    assert ((model(images) > 0) == torch.stack([s.lung for s in samples])).float().mean() > 0.97


def test_another_mode_is_refused(model):
    with pytest.raises(ValueError, match="mode='train'"):
        model(batch()[0], mode='train')
