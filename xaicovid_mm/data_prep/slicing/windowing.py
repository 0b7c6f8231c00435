"""Map HU through a display window, and equalise contrast as some public sets do."""

import numpy as np
from skimage.exposure import equalize_adapthist

Window = tuple[float, float]


def apply_window(hu: np.ndarray, window: Window) -> np.ndarray:
    """Map HU of any shape to float32 in [0, 1]: the window's low end to 0, its high end to 1."""
    low, high = window
    return ((hu.astype(np.float32) - low) / (high - low)).clip(0, 1)


def equalize_contrast(planes: np.ndarray, clip_limit: float) -> np.ndarray:
    """Equalise the contrast of each slice on its own (CLAHE). Not in the paper.

    Args:
        planes: (Z, H, W), uint8 or float in [0, 1].
        clip_limit: In (0, 1]; a larger one gives more contrast.

    Returns:
        float32 (Z, H, W) in [0, 1].
    """
    return np.stack(
        [equalize_adapthist(plane, clip_limit=clip_limit).astype(np.float32) for plane in planes]
    )
