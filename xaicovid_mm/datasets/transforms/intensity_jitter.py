"""Imitate other scanners."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from .ranges import need_ranges


@TRANSFORMS.register_module()
class IntensityJitter(BaseTransform):
    """Change gamma and brightness and add noise, for data of few patients and scanners.

    By default it changes nothing. What is 0 outside the lung stays 0. Not in the paper.

    Args:
        gamma: Range of the exponent, drawn uniformly in its logarithm.
        brightness: Range of the factor, drawn uniformly.
        noise_std: Range of the noise's standard deviation, in units of the image's [0, 1].

    Raises:
        ValueError: If a range runs backwards, or holds what is no factor or no deviation.
    """

    def __init__(
        self,
        gamma: tuple[float, float] = (1.0, 1.0),
        brightness: tuple[float, float] = (1.0, 1.0),
        noise_std: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        need_ranges('0 <', gamma=gamma, brightness=brightness)
        need_ranges('0 <=', noise_std=noise_std)
        self.gamma, self.brightness, self.noise_std = gamma, brightness, noise_std

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``image``, float32 (H, W) in [0, 1]."""
        rng, image = results['rng'], results['image']
        exponent = np.exp(rng.uniform(*np.log(self.gamma)))
        noise = rng.normal(0, 1, image.shape) * rng.uniform(*self.noise_std)
        changed = (image**exponent * rng.uniform(*self.brightness) + noise).clip(0, 1)
        lung = results['lung']
        filled = lung is not None and not image[~lung].any()
        inside = lung if filled else image > 0  # noise must not outline the lungs of a whole slice
        results['image'] = (changed * inside).astype(np.float32)
        return results
