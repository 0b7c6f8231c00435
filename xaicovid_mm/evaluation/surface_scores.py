"""How far the outline that was found lies from the true one, in mm."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

TOLERANCE_MM = 3.0
"""Of the NSD: what Ma et al. (Medical Physics 2021) allow for infection; not in the paper."""


def surface_scores(
    found: np.ndarray, true: np.ndarray, pixel_mm: Sequence[float]
) -> tuple[float, float]:
    """Normalised surface Dice and 95 % Hausdorff distance of two masks of a slice.

    The outline of a mask is its pixels with a neighbour (of four) outside, the slice's border
    counting as outside. NSD is the share of both outlines that lies within ``TOLERANCE_MM`` of the
    other one; HD95 the larger of the 95th percentiles of the distances each way.

    Args:
        found: bool (H, W).
        true: bool (H, W), not empty.
        pixel_mm: (y, x).

    Returns:
        NSD in [0, 1], and HD95 in mm: NaN when nothing was found, NSD is 0 then.

    Raises:
        ValueError: If the true mask is empty: both are undefined.
    """
    if not true.any():
        raise ValueError('the true mask is empty: NSD and HD95 need one with infection')
    if not found.any():
        return 0.0, float('nan')
    outlines = [mask & ~binary_erosion(mask) for mask in (found, true)]
    there, back = (
        distance_transform_edt(~outlines[1 - k], sampling=pixel_mm)[outlines[k]] for k in (0, 1)
    )
    near = np.concatenate([there, back]) <= TOLERANCE_MM
    return float(near.mean()), float(max(np.percentile(d, 95) for d in (there, back)))


class SurfaceScores:
    """Outline scores of infected slices under named averages, for any weights of their patients.

    Args:
        nsd: (N,) of each infected slice, NaN for a slice that has none.
        hd95_mm: (N,) NaN where nothing was found, too.
        patients: (N,) whose the slices are.
    """

    def __init__(self, nsd: np.ndarray, hd95_mm: np.ndarray, patients: Sequence) -> None:
        owner = np.unique(np.asarray(patients), return_inverse=True)[1]
        infected, hit = ~np.isnan(nsd), ~np.isnan(hd95_mm)
        self._groups = {
            f'nsd_{TOLERANCE_MM:g}mm_infected_slice_mean': (nsd[infected], owner[infected]),
            'hd95_mm_hit_slice_mean': (hd95_mm[hit], owner[hit]),
            'hit_slice_share': (hit[infected], owner[infected]),
        }

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        """Score the slices.

        Args:
            weights: (P,) how often each patient, in sorted order, counts.

        Returns:
            ``nsd_3mm_infected_slice_mean`` in [0, 1] (0 where nothing was found),
            ``hd95_mm_hit_slice_mean`` (infected slices in which something was found), and
            ``hit_slice_share``, how many infected slices these are. An average over nothing is
            left out.
        """
        return {
            name: float(np.average(values, weights=weights[owner]))
            for name, (values, owner) in self._groups.items()
            if weights[owner].any()
        }
