"""From the infection probability to the mask, the same in a test and in a report."""

from typing import Any, TypeVar

import numpy as np
from mmengine import Config
from torch import Tensor

Masks = TypeVar('Masks', np.ndarray, Tensor)


def infection_mask(prob: Masks, threshold: float, min_area: float = 0.0) -> Masks:
    """Return where a slice is infected; a slice with very little infection has none.

    Not in the paper.

    Args:
        prob: (..., H, W) in [0, 1], 0 outside the lungs.
        threshold: Above it a pixel is infected.
        min_area: Least share of a slice's H x W pixels. A slice with fewer is left empty.

    Returns:
        bool (..., H, W).
    """
    mask = prob > threshold
    height, width = mask.shape[-2:]
    least = min_area * height * width - 1e-6  # 0.07 x 100 x 100 is 700.0000000000001
    return mask & (mask.sum((-2, -1))[..., None, None] >= least)


def mask_settings(cfg: Config) -> dict[str, float]:
    """Return the ``threshold`` and ``min_area`` at which a config's ``InfectionMetric`` tests.

    Without one they are 0.5 and 0.
    """
    evaluators = cfg.test_evaluator
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    named = (e for e in evaluators if e['type'] == 'InfectionMetric')
    metric: dict[str, Any] = next(named, {})
    return {
        'threshold': float(metric.get('threshold', 0.5)),
        'min_area': float(metric.get('min_area', 0.0)),
    }
