"""Integrated Gradients, Eqs. (6) and (7)."""

from collections.abc import Callable

import torch
from torch import Tensor

from .input_gradient import check_type, input_gradient
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

    It asks for input gradients only, see ``input_gradient``. Of half-precision images the sum is
    kept in single precision. It holds the activations of at most ``AT_ONCE`` images, or of one
    step.

    Args:
        score: Maps images (B, C, H, W) to (B,); a sample's score may depend on that sample only.
        images: (B, C, H, W).
        steps: t of Eq. (7), at least 1; not in the paper.
        rule: Where the steps lie, see ``path_rule``; 'right' is Eq. (7) as printed.
        baseline: x' of Eq. (7), like images; default black, 0 in the units of the images, as in the
            paper. A backbone that normalises does so to the baseline as well.

    Returns:
        Signed attributions shaped like ``images``.

    Raises:
        ValueError: For ``steps`` below 1 or another ``rule``, and as ``input_gradient`` does.
    """
    check_type(images)
    path = path_rule(rule, steps)
    images = images.detach()
    start = torch.zeros_like(images) if baseline is None else baseline.detach()
    if not len(images):
        return torch.zeros_like(images)
    total = torch.zeros_like(images, dtype=torch.promote_types(images.dtype, torch.float32))
    at_once = max(AT_ONCE // len(images), 1)
    for first in range(0, len(path), at_once):
        part = path[first : first + at_once]
        points = torch.cat([start + alpha * (images - start) for alpha, _ in part])
        grads = input_gradient(score, points).chunk(len(part))
        for (_, weight), grad in zip(part, grads, strict=True):
            total += weight * grad
    return ((images - start) * total).to(images.dtype)  # Eq. (7)


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
        return attributions.flatten(1).sum(1) - (score(images.clone()) - score(start.clone()))
