"""Move a slice and its masks together."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from .ranges import need_ranges


@TRANSFORMS.register_module()
class RandomGeometry(BaseTransform):
    """Flip, rotate, scale and shift image, lung and infection mask together; new pixels are 0.

    It comes before ``StrongView``, so that weak and strong view stay aligned. Not in the paper.

    Args:
        flip_prob: Probability of swapping left and right.
        rotate_deg: Range of the angle, in degrees.
        scale: Range of the factor.
        shift: Largest shift in each direction, as a share of the side.

    Raises:
        ValueError: If a range runs backwards, a factor is not above 0, or a shift leaves nothing.
    """

    def __init__(
        self,
        flip_prob: float = 0.5,
        rotate_deg: tuple[float, float] = (0.0, 0.0),
        scale: tuple[float, float] = (1.0, 1.0),
        shift: float = 0.0,
    ) -> None:
        need_ranges('', rotate_deg=rotate_deg)
        need_ranges('0 <', scale=scale)
        if not 0 <= shift < 1:
            raise ValueError(f'shift={shift}: a share of the side, 0 <= shift < 1, expected')
        self.flip_prob, self.rotate_deg, self.scale, self.shift = (
            flip_prob,
            rotate_deg,
            scale,
            shift,
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Move ``image`` (bilinear), ``lung`` and ``infection`` (nearest), each (H, W)."""
        rng, (height, width) = results['rng'], results['image'].shape
        lung = results['lung']
        filled = lung is not None and not results['image'][~lung].any()
        centre = ((width - 1) / 2, (height - 1) / 2)
        matrix: np.ndarray = cv2.getRotationMatrix2D(
            centre, rng.uniform(*self.rotate_deg), rng.uniform(*self.scale)
        )
        matrix[:, 2] += rng.uniform(-self.shift, self.shift, 2) * (width, height)
        if rng.random() < self.flip_prob:
            matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]])
        for name, how in (
            ('image', cv2.INTER_LINEAR),
            ('lung', cv2.INTER_NEAREST),
            ('infection', cv2.INTER_NEAREST),
        ):
            if results[name] is not None:
                results[name] = _moved(results[name], matrix, how)
        if filled:  # interpolation blurs the border of the lung
            results['image'] = results['image'] * results['lung']
        return results


def _moved(array: np.ndarray, matrix: np.ndarray, how: int) -> np.ndarray:
    plain = array.astype(np.uint8) if array.dtype == bool else array
    return cv2.warpAffine(plain, matrix, plain.shape[::-1], flags=how).astype(array.dtype)
