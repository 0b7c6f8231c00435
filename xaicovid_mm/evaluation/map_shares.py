"""How a map is shared between the predicted infection, the lungs and the rest.

Not in the paper.
"""

import numpy as np


def map_shares(
    maps: dict[str, np.ndarray], *, infection: np.ndarray, lung: np.ndarray
) -> dict[str, dict[str, float | None]]:
    """Return which share of each map lies in the infection, and which outside the lungs.

    Args:
        maps: Name to map (N, H, W) of N explained slices, values at least 0.
        infection: bool (N, H, W), the predicted mask.
        lung: bool (N, H, W).

    Returns:
        For each map: ``energy_in_infection`` and ``energy_outside_lung``, shares of its sum in
        [0, 1], and ``infection_share``, the share of the lung that is infected. A map without
        information would put that share into the infection. None where the divisor is 0. The
        first is the relevance mass accuracy of Arras et al. (2022) over whole slices and against
        the predicted mask; that of ``localisation_scores`` is over the lungs of one slice.
    """
    infection_share = _ratio(float((infection & lung).sum()), float(lung.sum()))
    scores: dict[str, dict[str, float | None]] = {}
    for name, values in maps.items():
        energy = values.astype(np.float64)
        total = float(energy.sum())
        scores[name] = dict(
            energy_in_infection=_ratio(float(energy[infection].sum()), total),
            energy_outside_lung=_ratio(float(energy[~lung].sum()), total),
            infection_share=infection_share,
        )
    return scores


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
