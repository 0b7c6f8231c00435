"""What pixels of a lung are replaced by when the network is asked to do without them.

Black is no lung that a network ever saw, so a score that falls may fall for that alone. The other
filling is ``explain.lung_blur``.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

NOISE = 0.01
"""Standard deviation of the noise on imputed pixels, in the units of the slice."""

_STEPS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


def impute(
    image: np.ndarray, lung: np.ndarray, removed: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Replace pixels by noisy linear imputation (ROAD, Rong et al., 2022), inside the lungs.

    Each becomes the weighted mean of its neighbours in the lungs, direct ones twice as heavy as
    diagonal ones, and some noise; neighbours that are removed as well are solved for together.

    Args:
        image: (H, W).
        lung: bool (H, W).
        removed: bool (H, W), pixels to replace.
        rng: Draws the noise.

    Returns:
        (H, W). A pixel that is linked to no kept one becomes the mean of the kept lung, or of the
        lung if none is kept.
    """
    removed = removed & lung
    kept = lung & ~removed
    level = float(image[kept if kept.any() else lung].mean()) if lung.any() else 0.0
    number = np.full((image.shape[0] + 2, image.shape[1] + 2), -1)
    inner = number[1:-1, 1:-1]
    inner[removed] = np.arange(removed.sum())
    y, x = np.nonzero(removed)
    around, values = np.pad(lung, 1), np.pad(image.astype(float), 1)
    count = len(y)
    diagonal, right = np.full(count, 1e-6), np.full(count, 1e-6 * level)  # never singular
    rows, columns, weights = [], [], []
    for dy, dx in _STEPS:
        place = y + 1 + dy, x + 1 + dx
        weight = np.where(around[place], 1 / 6 if dy == 0 or dx == 0 else 1 / 12, 0.0)
        diagonal += weight
        unknown = number[place] >= 0
        right += np.where(unknown, 0.0, weight * values[place])
        rows.append(np.flatnonzero(unknown))
        columns.append(number[place][unknown])
        weights.append(-weight[unknown])
    index = np.arange(count)
    matrix = coo_matrix(
        (
            np.concatenate([diagonal, *weights]),
            (np.concatenate([index, *rows]), np.concatenate([index, *columns])),
        ),
        shape=(count, count),
    ).tocsr()
    filled = image.astype(float).copy()
    if count:
        filled[removed] = spsolve(matrix, right) + NOISE * rng.normal(size=count)
    return filled
