"""A scan as the slices that a model was trained on."""

import numpy as np

from ..data_prep.slicing.slices import OUTSIDE_HU, CaseSlices, extract_slices
from ..data_prep.slicing.windowing import apply_window, equalize_contrast
from ..data_prep.volume import Volume
from .model_folder.deployed_model import DeployedModel


def scan_slices(
    scan: Volume, lung: np.ndarray, model: DeployedModel
) -> tuple[CaseSlices, np.ndarray]:
    """Cut a scan in HU as the model's store was cut.

    Args:
        scan: Upright, in HU.
        lung: bool (Z, Y, X).
        model: Says size, crop, window and whether its slices were display values.

    Returns:
        The slices in HU, and the same float32 (N, H, W) in [0, 1] as the network takes them.

    Raises:
        ScanError: If no slice shows enough lung.
    """
    settings = model.preprocessing
    slices = extract_slices(scan, lung, None, model.slicing, OUTSIDE_HU)
    if clip := settings['prepared'].get('clahe_clip'):
        shown = equalize_contrast(apply_window(scan.data, settings['window']), clip)
        values = slices.grid.cut(shown, smooth=True)[slices.planes]
    else:
        values = apply_window(slices.image, settings['window'])
    return slices, (values * slices.lung if settings['lung_fill'] else values).astype(np.float32)
