"""Lung masks of scans by a trained network."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter, zoom
from skimage.morphology import disk

from ...data_prep.lungs.threshold import fill_holes, lung_mask, two_largest
from ...data_prep.slicing.windowing import apply_window
from ...models import LungSegmentor

RIM_MM = 6
"""A difference narrower than twice this is one of the network's coarse pixels."""
BATCH = 16
"""Slices that the network gets at a time."""


class LungExtractor:
    """Segment the lungs slice by slice, then keep the two largest parts and fill their holes.

    Args:
        model: The trained network, in eval mode.
        intensity: Values of the scans: 'hu', or 'display' for 8-bit images.
    """

    def __init__(self, model: LungSegmentor, intensity: str = 'hu') -> None:
        self.model = model
        self.window = model.window if intensity == 'hu' else (0.0, 255.0)

    def __call__(self, scan: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
        """Return the lungs, bool (Z, Y, X).

        Args:
            scan: (Z, Y, X) upright scan, in HU or display values, with its whole field of view.
            spacing_mm: (z, y, x).
        """
        sides = scan.shape[1:]
        images = self._resized(scan, [self.model.size / side for side in sides])
        probs = np.concatenate(list(self._probs(images)))
        back = [1.0, *(side / self.model.size for side in sides)]
        lungs = zoom(probs, back, order=1, grid_mode=True, mode='nearest') > 0.5
        return fill_holes(two_largest(lungs), spacing_mm)

    def _resized(self, scan: np.ndarray, factors: Sequence[float]) -> np.ndarray:
        """Return the windowed scan at the size of the network, float32 (Z, S, S) in [0, 1]."""
        windowed = apply_window(scan, self.window)
        smooth = gaussian_filter(windowed, [0, *(max((1 / f - 1) / 2, 0) for f in factors)])
        return zoom(smooth, [1, *factors], order=1, grid_mode=True, mode='nearest')

    @torch.no_grad()
    def _probs(self, images: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the lung probabilities (B, S, S) of one batch after the other."""
        device = next(self.model.parameters()).device
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[start : start + BATCH, None]).to(device)
            yield self.model(batch).sigmoid()[:, 0].cpu().numpy()


class HybridLungs:
    """Lungs by threshold, and by the network where the two disagree by more than a rim.

    The threshold has the finer outline. The network keeps dense disease, and knows bowel and table.

    Args:
        network: Finds the lungs of scans in HU by a network.
    """

    def __init__(self, network: LungExtractor) -> None:
        self.network = network

    def __call__(self, scan: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
        """Return the lungs, bool (Z, Y, X), of an upright scan in HU; spacing (z, y, x) in mm."""
        return joined(lung_mask(scan, spacing_mm), self.network(scan, spacing_mm), spacing_mm)


def joined(
    fine: np.ndarray, coarse: np.ndarray, spacing_mm: tuple[float, float, float]
) -> np.ndarray:
    """Take ``coarse`` where two masks, bool (Z, Y, X), differ by more than a rim, else ``fine``."""
    reach = max(round(RIM_MM / spacing_mm[1]), 1)
    differ = [_thick(plane, reach) for plane in fine ^ coarse]
    return np.where(np.stack(differ), coarse, fine)


def _thick(plane: np.ndarray, reach: int) -> np.ndarray:
    """The parts of a mask (H, W) that are wider than twice ``reach``, with their edges."""
    core = cv2.erode(plane.view(np.uint8), disk(reach))
    return cv2.dilate(core, disk(2 * reach)).view(bool) & plane
