"""Whether two maps order the pixels alike."""

import numpy as np
from scipy.stats import rankdata


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's rank correlation in [-1, 1] of the maps of one slice; None if one is flat.

    Args:
        one: (N,) of the pixels inside the lungs.
        other: (N,), likewise.
    """
    if not (len(one) and np.isfinite(one).all() and np.isfinite(other).all()):
        return None
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (one, other)]
    sizes = np.sqrt([(r**2).sum() for r in ranks])
    return float(ranks[0] @ ranks[1] / sizes.prod()) if sizes.all() else None
