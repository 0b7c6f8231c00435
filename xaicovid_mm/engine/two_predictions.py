"""Predict each slice twice: its mirror image too, or with a second network. Not in the paper."""

from typing import Any

import torch
from torch import Tensor

from ..structures import CTSample


def mirror_predictions(model: Any) -> None:
    """Make a model's ``predict`` the mean over each slice and its mirror image, left and right.

    The probabilities of both are averaged, ``scores`` (C,) and ``prob`` (1, H, W) of the samples.
    Both are kept as ``view_scores`` and ``view_prob``, so that their disagreement can be seen. The
    model is changed in place.

    Args:
        model: The network, without any distributed wrapper.
    """
    plain = model.predict

    def predict(inputs: Tensor, data_samples: list[CTSample]) -> list[CTSample]:
        mirrored = plain(torch.flip(inputs, [-1]), [CTSample() for _ in data_samples])
        for sample, other in zip(plain(inputs, data_samples), mirrored, strict=True):
            if 'prob' in other:
                other.prob = torch.flip(other.prob, [-1])
            _keep_both(sample, other)
            if 'scores' in sample:
                sample.scores = sample.view_scores.mean(0)
            if 'prob' in sample:
                sample.prob = sample.view_prob.mean(0, keepdim=True)
        return data_samples

    model.predict = predict


def compare_predictions(model: Any, second: Any) -> None:
    """Make a model's ``predict`` keep what a second network says beside it.

    ``scores`` and ``prob`` stay those of the model. ``view_scores`` and ``view_prob`` hold both.
    The model is changed in place.

    Args:
        model: The network, without any distributed wrapper.
        second: A network of the same heads, on the same device, in eval mode.
    """
    plain = model.predict

    def predict(inputs: Tensor, data_samples: list[CTSample]) -> list[CTSample]:
        others = second.predict(inputs, [CTSample() for _ in data_samples])
        for sample, other in zip(plain(inputs, data_samples), others, strict=True):
            _keep_both(sample, other)
        return data_samples

    model.predict = predict


def _keep_both(sample: CTSample, other: CTSample) -> None:
    if 'scores' in sample:
        sample.view_scores = torch.stack([sample.scores, other.scores])
    if 'prob' in sample:
        sample.view_prob = torch.cat([sample.prob, other.prob])
