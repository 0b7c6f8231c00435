"""Grad-CAM (Selvaraju et al.), of features that are there already."""

from collections.abc import Callable

import torch
from torch import Tensor


def grad_cam(classify: Callable[[Tensor], Tensor], feature: Tensor, label: int) -> Tensor:
    """Where a map speaks for a class, (B, 1, h, w) in [0, 1], 0 throughout where nothing does.

    Captum's takes a layer and runs the network again; here one backward through the classifier
    is enough. The scale is each sample's maximum, as in PseudoSeg.

    Args:
        classify: Maps the feature to class logits (B, C).
        feature: (B, K, h, w).
        label: The class whose evidence is wanted.
    """
    with torch.enable_grad():
        leaf = feature.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(classify(leaf)[:, label].sum(), leaf)
    weights = gradient.mean((2, 3), keepdim=True)
    evidence = (weights * feature.detach()).sum(1, keepdim=True).relu()
    peak = evidence.amax((1, 2, 3), keepdim=True)
    return evidence / torch.where(peak > 0, peak, 1.0)
