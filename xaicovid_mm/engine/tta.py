"""Test-time augmentation: predict each slice and its mirror image. Not in the paper."""

from typing import Any

import torch
from torch import Tensor

from ..structures import CTSample


def mirror_predictions(model: Any) -> None:
    """Make a model's ``predict`` the mean over each slice and its mirror image, left and right.

    The probabilities of both are averaged, ``scores`` (C,) and ``prob`` (1, H, W) of the samples.
    The model is changed in place.

    Args:
        model: The network, without any distributed wrapper.
    """
    plain = model.predict

    def predict(inputs: Tensor, data_samples: list[CTSample]) -> list[CTSample]:
        mirrored = plain(torch.flip(inputs, [-1]), [CTSample() for _ in data_samples])
        for sample, other in zip(plain(inputs, data_samples), mirrored, strict=True):
            if 'scores' in sample:
                sample.scores = (sample.scores + other.scores) / 2
            if 'prob' in sample:
                sample.prob = (sample.prob + torch.flip(other.prob, [-1])) / 2
        return data_samples

    model.predict = predict
