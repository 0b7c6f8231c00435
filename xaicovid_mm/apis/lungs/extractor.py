"""A trained lung network, run over a scan."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, zoom

from ...data_prep.lungs.threshold import fill_holes, two_largest
from ...data_prep.slicing.windowing import apply_window
from ...models import LungSegmentor

BATCH = 16


class LungExtractor:
    """Find the lungs of a scan slice by slice, then keep the two largest parts and fill holes.

    Args:
        model: Trained, in eval mode.
        intensity: 'hu', or 'display' for scans that are 8-bit windowed already.
    """

    def __init__(self, model: LungSegmentor, intensity: str = 'hu') -> None:
        self.model = model
        self.window = model.window if intensity == 'hu' else (0.0, 255.0)

    def __call__(self, scan: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
        """Return the lungs, bool (Z, Y, X).

        Args:
            scan: (Z, Y, X), upright, in HU or display values; the whole field of view.
            spacing_mm: (z, y, x).
        """
        factors = [self.model.size / side for side in scan.shape[1:]]
        small = self._shown(scan, factors)
        probs = np.concatenate(list(self._probs(small)))
        back = [1.0, *(side / self.model.size for side in scan.shape[1:])]
        lungs = zoom(probs, back, order=1, grid_mode=True, mode='nearest') > 0.5
        return fill_holes(two_largest(lungs), spacing_mm)

    def _shown(self, scan: np.ndarray, factors: list[float]) -> np.ndarray:
        """The scan through the window at the model's size, float32 (Z, S, S) in [0, 1]."""
        shown = apply_window(scan, self.window)
        smooth = gaussian_filter(shown, [0, *(max((1 / f - 1) / 2, 0) for f in factors)])
        return zoom(smooth, [1, *factors], order=1, grid_mode=True, mode='nearest')

    @torch.no_grad()
    def _probs(self, slices: np.ndarray) -> Iterator[np.ndarray]:
        device = next(self.model.parameters()).device
        for start in range(0, len(slices), BATCH):
            batch = torch.from_numpy(slices[start : start + BATCH, None]).to(device)
            yield self.model(batch).sigmoid()[:, 0].cpu().numpy()
