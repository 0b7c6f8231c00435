"""Cut a scan into the input slices of a model."""

from typing import Any

import numpy as np
from nibabel.orientations import inv_ornt_aff

from ..data_prep.orientation import turn
from ..data_prep.slicing.slices import OUTSIDE_HU, CaseSlices, extract_slices
from ..data_prep.slicing.windowing import apply_window, equalize_contrast
from ..data_prep.volume import Volume
from .model_folder.deployed_model import DeployedModel


def scan_slices(
    scan: Volume, lung: np.ndarray, model: DeployedModel
) -> tuple[CaseSlices, np.ndarray]:
    """Cut a scan into slices, bit for bit as a store of the model's training data keeps them.

    Args:
        scan: Upright scan (Z, Y, X) in HU.
        lung: bool (Z, Y, X).
        model: Its preprocessing gives size, crop, window and whether it takes display values.

    Returns:
        The slices in HU, and the same slices as input of the network: float32 (N, H, W) in [0, 1].

    Raises:
        ScanError: If too few slices show enough lung.
    """
    settings = model.preprocessing
    slices = extract_slices(scan, lung, spec=model.slicing, outside=OUTSIDE_HU)
    if settings['intensity'] == 'display':
        images = _pictures(scan, slices, settings)
    else:
        images = apply_window(slices.image, settings['window'])
    return slices, (images * slices.lung if settings['lung_fill'] else images).astype(np.float32)


def planes_of_slices(slices: CaseSlices, depth: int) -> np.ndarray:
    """Find the slice of the model that lies nearest to each slice of the scan.

    Args:
        slices: The N slices of the model.
        depth: Z, the number of slices of the scan.

    Returns:
        int (Z,), positions among the N; -1 where the nearest plane shows too little lung.
    """
    grid = slices.grid
    nearest = np.rint((np.arange(depth) - grid.offset[0]) / grid.scale[0]).astype(int)
    position = np.full(grid.shape[0], -1)
    position[slices.planes] = np.arange(len(slices.planes))
    return position[nearest.clip(0, grid.shape[0] - 1)]


def slice_heights_mm(scan: Volume) -> np.ndarray:
    """Height of the middle of each slice in the coordinates of the scanner, foot to head: mm (Z,).

    Of slices that lean it is that of their middle.
    """
    to_mm = scan.affine @ inv_ornt_aff(turn(scan.affine), scan.original_shape)
    depth, height, width = scan.data.shape
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.array([(to_mm @ [x, y, z, 1])[2] for z in range(depth)])


def _pictures(scan: Volume, slices: CaseSlices, settings: dict[str, Any]) -> np.ndarray:
    """The slices as 8-bit pictures, equalised if the training data were: (N, H, W) in [0, 1]."""
    pictures = np.rint(255 * apply_window(scan.data, settings['window'])).astype(np.uint8)
    if clip := settings['prepared'].get('clahe_clip'):
        pictures = np.rint(255 * equalize_contrast(pictures, clip))
    return np.rint(slices.grid.cut(pictures, smooth=True)[slices.planes]) / 255
