"""Make the strong view of an unlabelled slice."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


@TRANSFORMS.register_module()
class StrongView(BaseTransform):
    """Adjust contrast and sharpness (Sec. III-D), in random order, as ``results['strong']``.

    No pixel moves, so the pseudo mask of the weak view fits as it is. Labelled slices get no strong
    view.

    Args:
        contrast: Range of the factor of ``adjust_contrast``; not in the paper, default FixMatch's.
        sharpness: Range of the factor of ``adjust_sharpness``; likewise.
        remask: Set the outside of the lung to 0 again. A grey background would reveal the factor,
            and black is the baseline of Eq. (7).
    """

    def __init__(
        self,
        contrast: tuple[float, float] = (0.05, 0.95),
        sharpness: tuple[float, float] = (0.05, 0.95),
        remask: bool = True,
    ) -> None:
        self.contrast, self.sharpness, self.remask = contrast, sharpness, remask

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Write ``strong``, float32 (H, W) in [0, 1], for an unlabelled slice."""
        if results['is_labelled']:
            return results
        rng = results['rng']
        steps = [
            (adjust_contrast, rng.uniform(*self.contrast)),
            (adjust_sharpness, rng.uniform(*self.sharpness)),
        ]
        view = results['image']
        for i in rng.permutation(len(steps)):
            adjust, factor = steps[i]
            view = adjust(view, factor)
        if self.remask and results['lung'] is not None:
            view = view * results['lung']
        results['strong'] = view.astype(np.float32)
        return results


def adjust_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend a slice (H, W) in [0, 1] with its mean: 0 is flat, 1 changes nothing."""
    return (factor * image + (1 - factor) * image.mean()).clip(0, 1)


def adjust_sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend a slice (H, W) in [0, 1] with its smoothed self: 0 is smooth, 1 changes nothing.

    The outermost pixels do not change.
    """
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, SMOOTH)[1:-1, 1:-1]
    return (factor * image + (1 - factor) * smooth).clip(0, 1)
