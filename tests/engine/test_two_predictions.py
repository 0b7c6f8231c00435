"""The mean over a slice and its mirror image, and what two networks say, by hand."""

import torch
from torch import nn

from xaicovid_mm.engine.two_predictions import compare_predictions, mirror_predictions
from xaicovid_mm.structures import CTSample


class LeftHeavy(nn.Module):
    """Gives the left half its brightness, and classes by the first column."""

    def predict(self, inputs, data_samples):
        for image, sample in zip(inputs, data_samples, strict=True):
            sample.scores = torch.stack([image[0, 0, 0], 1 - image[0, 0, 0]])
            sample.prob = image * torch.tensor([1.0, 0.0])
        return data_samples


def test_scores_and_masks_are_means_and_the_mask_comes_back_on_its_side():
    model, image = LeftHeavy(), torch.tensor([[[[0.2, 0.8]]]])
    mirror_predictions(model)
    (sample,) = model.predict(image, [CTSample()])
    assert torch.allclose(sample.scores, torch.tensor([0.5, 0.5]))
    assert torch.allclose(sample.prob, torch.tensor([[[0.1, 0.4]]]))
    assert torch.allclose(sample.view_scores, torch.tensor([[0.2, 0.8], [0.8, 0.2]]))
    assert torch.allclose(sample.view_prob, torch.tensor([[[0.2, 0.0]], [[0.0, 0.8]]]))


def test_a_second_network_is_kept_beside_the_first_and_changes_nothing_of_it():
    class Dim(LeftHeavy):
        def predict(self, inputs, data_samples):
            return super().predict(inputs / 2, data_samples)

    model, image = LeftHeavy(), torch.tensor([[[[0.2, 0.8]]]])
    compare_predictions(model, Dim())
    (sample,) = model.predict(image, [CTSample()])
    assert torch.allclose(sample.scores, torch.tensor([0.2, 0.8]))
    assert torch.allclose(sample.prob, torch.tensor([[[0.2, 0.0]]]))
    assert torch.allclose(sample.view_scores, torch.tensor([[0.2, 0.8], [0.1, 0.9]]))
    assert torch.allclose(sample.view_prob, torch.tensor([[[0.2, 0.0]], [[0.1, 0.0]]]))


def test_a_symmetric_slice_is_predicted_as_without():
    image = torch.tensor([[[[0.3, 0.3]]]])
    (plain,) = LeftHeavy().predict(image, [CTSample()])
    model = LeftHeavy()
    mirror_predictions(model)
    (sample,) = model.predict(image, [CTSample()])
    assert torch.allclose(sample.scores, plain.scores)


def test_what_a_model_does_not_predict_is_left_out():
    class NoMask(LeftHeavy):
        def predict(self, inputs, data_samples):
            samples = super().predict(inputs, data_samples)
            for sample in samples:
                del sample.prob
            return samples

    model = NoMask()
    mirror_predictions(model)
    (sample,) = model.predict(torch.tensor([[[[0.2, 0.8]]]]), [CTSample()])
    assert 'prob' not in sample and torch.allclose(sample.scores, torch.tensor([0.5, 0.5]))
