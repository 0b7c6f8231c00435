"""Grad-CAM (Selvaraju et al.) of features that are already computed."""

from collections.abc import Callable

import torch
from torch import Tensor

from .input_gradient import input_gradient


def grad_cam(classify: Callable[[Tensor], Tensor], feature: Tensor, label: int) -> Tensor:
    """Compute the Grad-CAM of a class, scaled by each sample's maximum, as in PseudoSeg.

    Captum's Grad-CAM runs the network again; here one backward through the classifier is enough.
    See ``input_gradient``.

    Args:
        classify: Maps the feature to class logits (B, C).
        feature: (B, K, h, w).
        label: The class whose evidence is wanted.

    Returns:
        (B, 1, h, w) in [0, 1], detached; all 0 for a sample without evidence.
    """
    if not len(feature):
        return feature.detach()[:, :1]
    gradient = input_gradient(lambda x: classify(x)[:, label], feature)
    weights = gradient.mean((2, 3), keepdim=True)
    evidence = (weights * feature.detach()).sum(1, keepdim=True).relu()
    peak = evidence.amax((1, 2, 3), keepdim=True)
    return evidence / torch.where(peak > 0, peak, 1.0)
