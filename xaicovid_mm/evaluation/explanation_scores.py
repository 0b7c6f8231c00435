"""Do the explanations speak of what the decoder marked, and of the lungs at all?"""

import numpy as np


def trust_figures(
    maps: dict[str, np.ndarray], infection: np.ndarray, lung: np.ndarray
) -> dict[str, dict[str, float | None]]:
    """How far maps agree with the infection mask and stay inside the lungs; not in the paper.

    Args:
        maps: Name to (N, H, W), at least 0, of the explained slices.
        infection: bool (N, H, W), as predicted.
        lung: bool (N, H, W).

    Returns:
        For each map: ``energy_in_infection`` and ``energy_outside_lung``, shares of its sum;
        ``infection_share``, what a map that knows nothing would put into the infection (its share
        of the lung). None where there is nothing to divide by.
    """
    base = _ratio(float((infection & lung).sum()), float(lung.sum()))
    found: dict[str, dict[str, float | None]] = {}
    for name, values in maps.items():
        energy = values.astype(np.float64)
        total = float(energy.sum())
        found[name] = dict(
            energy_in_infection=_ratio(float(energy[infection].sum()), total),
            energy_outside_lung=_ratio(float(energy[~lung].sum()), total),
            infection_share=base,
        )
    return found


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
