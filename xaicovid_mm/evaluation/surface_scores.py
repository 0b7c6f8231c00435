"""Distances in mm between the outlines of a predicted and a true mask."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

TOLERANCE_MM = 3.0
"""Tolerance of the NSD, as in Ma et al. (Medical Physics 2021) for infection; not in the paper."""


def surface_scores(
    predicted: np.ndarray, true: np.ndarray, pixel_mm: Sequence[float]
) -> tuple[float, float]:
    """Return the normalised surface Dice (NSD) and 95 % Hausdorff distance (HD95) of a slice.

    The outline of a mask is its pixels that have one of their four neighbours outside the mask;
    beyond the border of the slice is outside. NSD is the share of both outlines that lies within
    ``TOLERANCE_MM`` of the other one. HD95 is the larger of the 95th percentiles of the distances
    in each direction.

    Args:
        predicted: bool (H, W).
        true: bool (H, W), not empty.
        pixel_mm: Size of a pixel (y, x) in mm.

    Returns:
        NSD in [0, 1] and HD95 in mm. If nothing was predicted, NSD is 0 and HD95 is NaN.

    Raises:
        ValueError: If the true mask is empty, since both scores are undefined then.
    """
    if not true.any():
        raise ValueError('the true mask is empty: NSD and HD95 need one with infection')
    if not predicted.any():
        return 0.0, float('nan')
    outlines = [mask & ~binary_erosion(mask) for mask in (predicted, true)]
    forth, back = (
        distance_transform_edt(~outlines[1 - k], sampling=pixel_mm)[outlines[k]] for k in (0, 1)
    )
    near = np.concatenate([forth, back]) <= TOLERANCE_MM
    return float(near.mean()), float(max(np.percentile(d, 95) for d in (forth, back)))


class SurfaceScores:
    """Averages of outline scores over infected slices, for given weights of the patients.

    Args:
        nsd: (N,) NSD of each slice, NaN for a slice without infection.
        hd95_mm: (N,) HD95 of each slice, NaN for a slice without infection or prediction.
        patients: (N,) patient of each slice.
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
            weights: (P,) how often each patient counts, patients in sorted order.

        Returns:
            ``nsd_3mm_infected_slice_mean`` in [0, 1] (a slice without prediction scores 0),
            ``hd95_mm_hit_slice_mean`` in mm over the infected slices with a prediction, and
            ``hit_slice_share``, the share of these among the infected slices. An average over no
            slices is left out.
        """
        return {
            name: float(np.average(values, weights=weights[owner]))
            for name, (values, owner) in self._groups.items()
            if weights[owner].any()
        }
