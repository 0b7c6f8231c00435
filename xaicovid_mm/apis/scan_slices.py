"""A scan as the slices that a model was trained on."""

import numpy as np
from skimage.exposure import equalize_adapthist

from ..data_prep.case_slices import AIR_HU, CaseSlices, cut_slices
from ..data_prep.volume import Volume
from .served_model import ServedModel


def model_slices(
    scan: Volume, lung: np.ndarray, served: ServedModel
) -> tuple[CaseSlices, np.ndarray]:
    """Cut a scan in HU as the model's store was cut.

    Args:
        scan: Upright, in HU.
        lung: bool (Z, Y, X).
        served: Says size, crop, window and whether its slices were display values.

    Returns:
        The slices in HU, and the same float32 (N, H, W) in [0, 1] as the network takes them.

    Raises:
        StoreError: If no slice shows enough lung.
    """
    said = served.preprocessing
    cut = cut_slices(scan, lung, None, served.slicing, AIR_HU)
    if clip := said['prepared'].get('clahe_clip'):
        values = cut.grid.cut(_equalised(scan.data, said['window'], clip), smooth=True)[cut.planes]
    else:
        values = windowed(cut.image, said['window'])
    return cut, (values * cut.lung if said['lung_fill'] else values).astype(np.float32)


def windowed(hu: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """HU as float32 in [0, 1]."""
    low, high = window
    return ((hu.astype(np.float32) - low) / (high - low)).clip(0, 1)


def _equalised(hu: np.ndarray, window: tuple[float, float], clip: float) -> np.ndarray:
    """Each slice with its contrast equalised, as a source of display values was."""
    planes = (equalize_adapthist(windowed(plane, window), clip_limit=clip) for plane in hu)
    return np.stack([plane.astype(np.float32) for plane in planes])
