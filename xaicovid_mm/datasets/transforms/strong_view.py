"""Make the strong view of an unlabelled slice."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from .ranges import need_ranges

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13

Range = tuple[float, float]


@TRANSFORMS.register_module()
class StrongView(BaseTransform):
    """Change the intensities of a slice, in random order, as ``results['strong']``.

    The paper has contrast and sharpness (Sec. III-D). The rest imitates other scanners; it is not
    in the paper and off by default. No pixel moves, so the pseudo mask of the weak view fits as it
    is. Labelled slices get no strong view.

    Args:
        contrast: Range of the factor of ``adjust_contrast``; not in the paper, default FixMatch's.
        sharpness: Range of the factor of ``adjust_sharpness``; likewise.
        gamma: Range of the exponent, drawn uniformly in its logarithm.
        brightness: Range of the factor.
        blur_px: Range of the standard deviation of a Gaussian blur, in pixels.
        noise_std: Range of the standard deviation of the noise that comes last, in units of the
            slice's [0, 1].
        remask: Set the outside of the lung to 0 again. A grey background would reveal the factor,
            and black is the baseline of Eq. (7).

    Raises:
        ValueError: If a range runs backwards, or holds what is no factor or no deviation.
    """

    def __init__(
        self,
        contrast: Range = (0.05, 0.95),
        sharpness: Range = (0.05, 0.95),
        gamma: Range = (1.0, 1.0),
        brightness: Range = (1.0, 1.0),
        blur_px: Range = (0.0, 0.0),
        noise_std: Range = (0.0, 0.0),
        remask: bool = True,
    ) -> None:
        need_ranges('0 <', gamma=gamma, brightness=brightness)
        need_ranges(
            '0 <=', contrast=contrast, sharpness=sharpness, blur_px=blur_px, noise_std=noise_std
        )
        self.contrast, self.sharpness, self.gamma = contrast, sharpness, gamma
        self.brightness, self.blur_px, self.noise_std = brightness, blur_px, noise_std
        self.remask = remask

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Write ``strong``, float32 (H, W) in [0, 1], for an unlabelled slice."""
        if results['is_labelled']:
            return results
        rng, view = results['rng'], results['image']
        inside = view > 0 if results['lung'] is None else results['lung']
        steps: list[tuple[Callable, float]] = [
            (lambda x, f: adjust_contrast(x, f, inside), rng.uniform(*self.contrast)),
            (adjust_sharpness, rng.uniform(*self.sharpness)),
            (lambda x, f: x**f, float(np.exp(rng.uniform(*np.log(self.gamma))))),
            (lambda x, f: (x * f).clip(0, 1), rng.uniform(*self.brightness)),
            (blur, rng.uniform(*self.blur_px)),
        ]
        for i in rng.permutation(len(steps)):
            change, factor = steps[i]
            view = change(view, factor)
        if self.noise_std[1]:
            noise = rng.normal(0, rng.uniform(*self.noise_std), view.shape)
            view = (view + noise * inside).clip(0, 1)
        if self.remask and results['lung'] is not None:
            view = view * results['lung']
        results['strong'] = view.astype(np.float32)
        return results


def adjust_contrast(
    image: np.ndarray, factor: float, inside: np.ndarray | None = None
) -> np.ndarray:
    """Blend a slice (H, W) in [0, 1] with its mean: 0 is flat, 1 changes nothing, 2 doubles.

    Args:
        image: The slice.
        factor: At least 0.
        inside: Pixels (H, W) whose mean it is; default all. Black surroundings would make the
            adjustment one of brightness.
    """
    known = inside is not None and inside.any()
    mean = image[inside].mean() if known else image.mean()
    return (factor * image + (1 - factor) * mean).clip(0, 1)


def adjust_sharpness(image: np.ndarray, factor: float) -> np.ndarray:
    """Blend a slice (H, W) in [0, 1] with its smoothed self: 0 is smooth, 1 changes nothing.

    The outermost pixels do not change.
    """
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, SMOOTH)[1:-1, 1:-1]
    return (factor * image + (1 - factor) * smooth).clip(0, 1)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a slice (H, W) by a Gaussian of a standard deviation in pixels; 0 changes nothing."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.1 else image
