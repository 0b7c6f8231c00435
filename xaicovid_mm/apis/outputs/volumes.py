"""Masks and maps as volumes on the grid of the scan's file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...data_prep.io.nifti import write_nifti
from ...data_prep.orientation import from_upright
from ...data_prep.slicing.grid import slices_to_file_grid
from ...data_prep.slicing.slices import CaseSlices
from ...data_prep.volume import Volume
from ...evaluation.referral import binary_entropy
from ..slice_predictor import shown_maps
from .viewer_data import ShownScan

UNCERTAINTY = 'uncertainty.nii.gz'


def write_volumes(folder: Path, shown: ShownScan, uncertainty: bool) -> None:
    """Write infection, lung and each map as ``.nii.gz`` of that name.

    Args:
        folder: Gets the files.
        shown: The scan with what was found in it.
        uncertainty: Also write ``UNCERTAINTY``: the entropy of the infection probability, from 0
            (sure) to 255 (a probability of 0.5).

    Raises:
        OSError: If the disk refuses.
    """
    for name, array in _volumes(shown, uncertainty):
        write_nifti(folder / name, array, shown.scan.affine)


def _volumes(shown: ShownScan, uncertainty: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and array of each volume in turn, so that only one is in memory."""
    scan, slices, predicted = shown.scan, shown.slices, shown.predicted
    for name, mask in (('infection', shown.infection), ('lung', shown.lung)):
        yield f'{name}.nii.gz', from_upright(mask, scan.affine).astype(np.uint8)
    for name, stack in shown_maps(predicted).items():
        yield f'{name}.nii.gz', to_scan_grid(stack, slices, scan, order=1)
    if uncertainty:
        entropy = np.rint(255 * binary_entropy(predicted.prob)).astype(np.uint8)
        yield UNCERTAINTY, to_scan_grid(entropy, slices, scan, order=1)


def to_scan_grid(stack: np.ndarray, slices: CaseSlices, scan: Volume, order: int = 0) -> np.ndarray:
    """Bring slices back to the grid of the scan's file.

    Args:
        stack: (N, H, W), masks or values of the N slices.
        slices: Where they were cut.
        scan: The scan.
        order: Of the spline: 0 the nearest, 1 linear.

    Returns:
        (I, J, K) of the same kind.
    """
    array = slices_to_file_grid(
        stack,
        planes=slices.planes,
        grid=slices.grid,
        affine=scan.affine,
        original_shape=scan.original_shape,
        order=order,
    )
    return array.astype(bool) if stack.dtype == bool else array
