"""Class score maps that are told where the infection is."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def map_loss(scores: Sequence[Tensor], masks: Tensor) -> Tensor:
    """Return the binary cross entropy between score maps and masks, averaged over the scales.

    A mask is averaged to the size of each map, so that a place of a coarse map learns the share of
    infection in it. Not in the paper.

    Args:
        scores: COVID-19 logits, each (B, 1, h_s, w_s).
        masks: Infection (B, 1, H, W), 0 and 1; a slice with a negative value is left out.

    Returns:
        A scalar; a differentiable 0 if no slice is left.
    """
    known = (masks >= 0).flatten(1).all(1)
    terms = []
    for score in scores:
        height, width = score.shape[-2:]
        shares = F.adaptive_avg_pool2d(masks[known], (height, width))
        total = F.binary_cross_entropy_with_logits(score[known], shares, reduction='sum')
        terms.append(total / max(shares.numel(), 1))
    return torch.stack(terms).mean()
