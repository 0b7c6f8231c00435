"""Imitate other display windows."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from .ranges import need_ranges


@TRANSFORMS.register_module()
class RandomWindow(BaseTransform):
    """Show a slice through another window, by moving both of its ends. Not in the paper.

    Args:
        low: Range of the value that becomes 0, in units of the image's [0, 1].
        high: Range of the value that becomes 1.

    Raises:
        ValueError: If a range runs backwards, or the two overlap.
    """

    def __init__(
        self, low: tuple[float, float] = (-0.2, 0.2), high: tuple[float, float] = (0.7, 1.3)
    ) -> None:
        need_ranges('', low=low, high=high)
        if low[1] >= high[0]:
            raise ValueError(f'low {low} must end below where high {high} begins')
        self.low, self.high = low, high

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``image``, float32 (H, W) in [0, 1]."""
        low, high = results['rng'].uniform(*self.low), results['rng'].uniform(*self.high)
        shown = (results['image'] - low) / (high - low)
        results['image'] = shown.clip(0, 1).astype(np.float32)
        return results
