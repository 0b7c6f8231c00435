"""Class activation maps and class-agnostic activation maps, Eqs. (2) and (3)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

FLAT = 1e-6
"""A map whose range is at most this counts as flat."""


def cam(features: Tensor, weights: Tensor, labels: Tensor) -> Tensor:
    """Class activation map of one class per sample, Eq. (2).

    It is the class score map of a 1x1 convolution without its bias, which min-max removes anyway.

    Args:
        features: (B, K, h, w).
        weights: (C, K) or (C, K, 1, 1), the classifier's.
        labels: (B,) integers, the class whose map is wanted.

    Returns:
        (B, h, w), any range.
    """
    return torch.einsum('bk,bkhw->bhw', weights.flatten(1)[labels], features)  # Eq. (2)


def caam(features: Tensor) -> Tensor:
    """Class-agnostic activation map (B, h, w) of features (B, K, h, w), Eq. (3); any range."""
    return features.sum(dim=1)  # Eq. (3)


def min_max(maps: Tensor) -> Tensor:
    """Scale each map (..., h, w) to [0, 1] over its own pixels, in float32.

    A flat map becomes zeros with zero gradient. An epsilon added to the range would instead give it
    gradients of order 1/epsilon.
    """
    maps = maps.float()
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    flat = high - low <= FLAT
    return torch.where(flat, 0.0, (maps - low) / torch.where(flat, 1.0, high - low))


def inside_lungs(images: Tensor) -> Tensor:
    """Bool (B, 1, H, W): where slices (B, 1, H, W) are not black, which is inside the lungs."""
    return images != 0


def min_max_inside(maps: Tensor, inside: Tensor) -> Tensor:
    """Scale each map (B, 1, H, W) to [0, 1] over the pixels inside, in float32; 0 elsewhere."""
    maps = maps.float()
    low = torch.where(inside, maps, torch.inf).amin((-2, -1), keepdim=True)
    high = torch.where(inside, maps, -torch.inf).amax((-2, -1), keepdim=True)
    flat = high - low <= FLAT  # also where nothing is inside
    scaled = (maps - low) / torch.where(flat, 1.0, high - low)
    return torch.where(inside & ~flat, scaled, 0.0)


def fuse_scales(maps: list[Tensor], size: Sequence[int], fuse: str = 'mean') -> Tensor:
    """Combine one map (B, h_s, w_s) per scale into one; not in the paper.

    Each map is scaled to [0, 1] and resized. They are combined, and the result is scaled again.

    Args:
        maps: Finest first.
        size: (H, W) of the slice in pixels.
        fuse: 'mean', 'max', 'product', or 'conv5' for the coarsest scale alone.

    Returns:
        (B, 1, H, W) in [0, 1].

    Raises:
        ValueError: For another ``fuse``.
    """
    check_fusion(fuse)
    resized = [
        F.interpolate(min_max(m)[:, None], tuple(size), mode='bilinear', align_corners=False)
        for m in maps
    ]
    return min_max(_FUSIONS[fuse](torch.stack(resized)))


def check_fusion(fuse: str) -> None:
    """Raise ValueError for a name that ``fuse_scales`` does not know."""
    if fuse not in _FUSIONS:
        raise ValueError(f'fuse={fuse!r}: choose one of {sorted(_FUSIONS)}')


_FUSIONS = {
    'mean': lambda stack: stack.mean(0),
    'max': lambda stack: stack.amax(0),
    'product': lambda stack: stack.prod(0),
    'conv5': lambda stack: stack[-1],
}
