"""Separate the air inside the body from the air around it."""

import numpy as np
from scipy.ndimage import label

MAX_AIR_HU = -320
"""Voxels below this are air: outer air, lung, or gas in the bowel."""


def enclosed_air(air: np.ndarray) -> np.ndarray:
    """Keep the air that touches none of the four sides of the field of view.

    Args:
        air: bool (Z, Y, X).

    Returns:
        bool (Z, Y, X).
    """
    parts, count = label(air)
    enclosed = np.ones(count + 1, bool)
    enclosed[0] = False
    for sides in (parts[:, [0, -1]], parts[:, :, [0, -1]]):
        enclosed[np.unique(sides)] = False
    return enclosed[parts]
