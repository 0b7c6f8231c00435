"""Cut a scan into the input slices of a model."""

import numpy as np

from ..data_prep.slicing.slices import OUTSIDE_HU, CaseSlices, extract_slices
from ..data_prep.slicing.windowing import apply_window, equalize_contrast
from ..data_prep.volume import Volume
from .model_folder.deployed_model import DeployedModel


def scan_slices(
    scan: Volume, lung: np.ndarray, model: DeployedModel
) -> tuple[CaseSlices, np.ndarray]:
    """Cut a scan into slices as the training data of the model were cut.

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
    if clip := settings['prepared'].get('clahe_clip'):
        display = equalize_contrast(apply_window(scan.data, settings['window']), clip)
        images = slices.grid.cut(display, smooth=True)[slices.planes]
    else:
        images = apply_window(slices.image, settings['window'])
    return slices, (images * slices.lung if settings['lung_fill'] else images).astype(np.float32)
