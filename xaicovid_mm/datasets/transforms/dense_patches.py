"""Imitate consolidation, so that a lung network takes dense lung for lung."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from scipy.ndimage import binary_dilation, gaussian_filter

from ...registry import TRANSFORMS
from .ranges import need_ranges

RING = 4  # width in pixels of the ring around the lung that gives the grey of soft tissue


@TRANSFORMS.register_module()
class DensePatches(BaseTransform):
    """Fill patches of the lung with the grey of the tissue around it. Not in the paper.

    Training slices rarely show consolidation at the pleura, where grey alone cannot tell lung from
    chest wall. The lung mask is not changed, so the network has to learn the shape of a lung.

    Args:
        prob: Probability that a slice gets patches.
        patches: Largest number of patches in a slice.
        radius: Range of a patch's radius, as a share of the slice's side.

    Raises:
        ValueError: If the radius is no range above 0, or there would be no patch.
    """

    def __init__(
        self, prob: float = 0.5, patches: int = 3, radius: tuple[float, float] = (0.05, 0.3)
    ) -> None:
        need_ranges('0 <', radius=radius)
        if patches < 1:
            raise ValueError(f'patches={patches}: 1 or more expected')
        self.prob, self.patches, self.radius = prob, patches, radius

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``image``, float32 (H, W) in [0, 1], inside ``lung``, bool (H, W)."""
        rng, lung = results['rng'], results['lung']
        around = results['image'][binary_dilation(lung, iterations=RING) & ~lung]
        if rng.random() >= self.prob or not around.size:
            return results
        for _ in range(rng.integers(1, self.patches + 1)):
            share = self._patch(lung, rng)
            grey = np.quantile(around, rng.uniform(0.4, 0.9)) + rng.normal(0, 0.02, lung.shape)
            results['image'] = results['image'] + share * (grey - results['image'])
        results['image'] = results['image'].clip(0, 1).astype(np.float32)
        return results

    def _patch(self, lung: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Share of each pixel that is filled, (H, W) in [0, 1]; 0 outside the lung."""
        side = max(lung.shape)
        radius = rng.uniform(*self.radius) * side
        centre = rng.choice(np.argwhere(lung))
        away = np.hypot(*(np.indices(lung.shape) - centre[:, None, None])) / radius
        noise = gaussian_filter(rng.normal(size=lung.shape), side / 25)
        return ((1 - away + 0.35 * noise / noise.std()) * 4).clip(0, rng.uniform(0.6, 1)) * lung
