"""Other scanners, imitated."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS


@TRANSFORMS.register_module()
class IntensityJitter(BaseTransform):
    """Change gamma and brightness and add noise, for few patients of few scanners.

    Not in the paper. Neutral by default; what is 0 outside the lung stays 0.

    Args:
        gamma: Range of the exponent, drawn evenly in its logarithm.
        brightness: Range of the factor.
        noise_std: Range of the deviation of the added noise.
    """

    def __init__(
        self,
        gamma: tuple[float, float] = (1.0, 1.0),
        brightness: tuple[float, float] = (1.0, 1.0),
        noise_std: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.gamma, self.brightness, self.noise_std = gamma, brightness, noise_std

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``image``, float32 (H, W) in [0, 1]."""
        rng, image = results['rng'], results['image']
        exponent = np.exp(rng.uniform(*np.log(self.gamma)))
        noise = rng.normal(0, 1, image.shape) * rng.uniform(*self.noise_std)
        changed = (image**exponent * rng.uniform(*self.brightness) + noise).clip(0, 1)
        lung = results['lung']
        filled = lung is not None and not image[~lung].any()
        inside = lung if filled else image > 0  # a whole slice must not tell where its lungs are
        results['image'] = (changed * inside).astype(np.float32)
        return results
