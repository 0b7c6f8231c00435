"""The body and the air around it."""

import numpy as np
from scipy.ndimage import label

MAX_AIR_HU = -320
"""Whatever is below counts as air: outer air, lung and bowel gas."""


def enclosed_air(air: np.ndarray) -> np.ndarray:
    """The air (Z, Y, X) that reaches none of the four sides of the field of view."""
    parts, count = label(air)
    inside = np.ones(count + 1, bool)
    inside[0] = False
    for edge in (parts[:, [0, -1]], parts[:, :, [0, -1]]):
        inside[np.unique(edge)] = False
    return inside[parts]
