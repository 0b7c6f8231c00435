"""The fine texture of a slice, by which a copy is told from another patient. Not in the paper."""

import numpy as np

from .fingerprint import smooth

SHIFT_PX = 2
"""How far one slice may be moved against the other."""
MIN_TEXTURE = 0.005
"""Share of the display range; texture weaker than this is not amplified."""


def texture(image: np.ndarray) -> np.ndarray:
    """Detail of 1 to 2 pixels of a float32 slice (H, W) in [0, 1], of equal strength everywhere.

    So edges do not dominate.
    """
    fine = smooth(image, 0.7) - smooth(image, 2)
    return fine / (np.sqrt(smooth(fine**2, 2)) + MIN_TEXTURE)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Normalised correlation of two textures (H, W), at the best shift of up to 2 pixels."""
    inner = slice(SHIFT_PX, -SHIFT_PX)
    still = first[inner, inner]
    moved = np.lib.stride_tricks.sliding_window_view(second, still.shape)
    norm = np.linalg.norm(still) * np.linalg.norm(second[inner, inner])
    return float(np.einsum('abyx,yx->ab', moved, still).max() / norm) if norm else 0.0
