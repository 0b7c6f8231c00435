"""A lung without its details, made from the lung alone."""

from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

BLUR_SHARE = 0.1
"""Standard deviation of the blur as a share of the slice's side."""


def blurred_lung(images: Tensor, lung: Tensor) -> Tensor:
    """Return slices (B, 1, H, W) blurred from the pixels inside the lungs alone; 0 outside.

    Args:
        images: (B, 1, H, W).
        lung: bool (B, 1, H, W).
    """
    sigma = BLUR_SHARE * images.shape[-1]
    size = min(2 * round(2 * sigma) + 1, 2 * ((min(images.shape[-2:]) - 1) // 2) + 1)
    inside = lung.float()
    total, weight = (
        gaussian_blur(x, [size, size], [sigma, sigma]) for x in (images.float() * inside, inside)
    )
    return (total / weight.clamp(min=1e-6) * inside).to(images.dtype)
