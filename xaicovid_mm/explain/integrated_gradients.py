"""Integrated Gradients, Eqs. (6) and (7)."""

from collections.abc import Callable

import torch
from torch import Tensor

from .quadrature import path_rule

Score = Callable[[Tensor], Tensor]

AT_ONCE = 8
"""Images that go through the network together; of few images, several steps share a forward."""


def integrated_gradients(
    score: Score,
    images: Tensor,
    steps: int,
    rule: str = 'right',
    baseline: Tensor | None = None,
) -> Tensor:
    """Attribute a score to the pixels along the straight path from a baseline, Eq. (7).

    It asks for input gradients only, so no parameter's ``.grad`` changes, and it works under
    ``no_grad``. It holds the activations of at most ``AT_ONCE`` images, or of one step.

    Args:
        score: Maps images (B, C, H, W) to (B,); a sample's score may depend on that sample only.
        images: (B, C, H, W).
        steps: t of Eq. (7), at least 1; not in the paper.
        rule: Where the steps lie, see ``path_rule``; 'right' is Eq. (7) as printed.
        baseline: x' of Eq. (7), like images; default black, as in the paper.

    Returns:
        Signed attributions shaped like ``images``.

    Raises:
        ValueError: For ``steps`` below 1 or another ``rule``.
    """
    images = images.detach()
    start = torch.zeros_like(images) if baseline is None else baseline.detach()
    total = torch.zeros_like(images)
    path = path_rule(rule, steps)
    at_once = max(AT_ONCE // len(images), 1)
    with torch.enable_grad():
        for first in range(0, len(path), at_once):
            part = path[first : first + at_once]
            points = [start + alpha * (images - start) for alpha, _ in part]
            stacked = torch.cat(points).requires_grad_()
            grads = torch.autograd.grad(score(stacked).sum(), stacked)[0].chunk(len(part))
            for (_, weight), grad in zip(part, grads, strict=True):
                total += weight * grad
    return (images - start) * total  # Eq. (7)


def completeness_gap(
    score: Score, images: Tensor, attributions: Tensor, baseline: Tensor | None = None
) -> Tensor:
    """Return the sum of the attributions minus F(x) - F(x'), (B,); 0 if Eq. (6) is exact.

    Report it with every explanation: through instance norm it can be nearly all of F(x) - F(x').

    Args:
        score: F, as in ``integrated_gradients``.
        images: x, (B, C, H, W).
        attributions: Like images.
        baseline: x', like images; default black.
    """
    start = torch.zeros_like(images) if baseline is None else baseline
    with torch.no_grad():
        return attributions.flatten(1).sum(1) - (score(images) - score(start))
