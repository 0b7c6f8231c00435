"""Where and how a phantom is scanned: nothing in it depends on the disease."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .anatomy import Grid


@dataclass(frozen=True)
class Site:
    """A site with one scanner and one protocol.

    Attributes:
        name: Of the site.
        spacing: (z, y, x) in mm.
        blur_mm: Width of the reconstruction kernel; 0 is sharp.
        noise_hu: Deviation of the noise.
        grain_mm: Width of a grain of the noise.
        orientation: Axis codes of the files it writes.
    """

    name: str
    spacing: tuple[float, float, float]
    blur_mm: float
    noise_hu: float
    grain_mm: float
    orientation: tuple[str, str, str]

    def grid(self) -> Grid:
        """The chest's field of view, 250 x 300 x 300 mm, in this site's voxels."""
        z, y, x = (
            math.ceil(mm / step) for mm, step in zip((250, 300, 300), self.spacing, strict=True)
        )
        return Grid((z, y, x), self.spacing)

    def scan(self, hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What the scanner makes of a chest: int16 HU (Z, Y, X)."""
        blur, grain = (
            [0, width / self.spacing[1], width / self.spacing[2]]
            for width in (self.blur_mm, self.grain_mm)
        )
        image = gaussian_filter(hu, blur)
        noise = gaussian_filter(rng.normal(size=hu.shape), grain)
        noisy = image + self.noise_hu * noise / noise.std()
        return np.rint(noisy).clip(-1024, 3071).astype(np.int16)


SITES = (
    Site('north', (8.0, 2.8, 2.8), 1.6, 18, 2.0, ('R', 'A', 'S')),
    Site('south', (10.0, 3.1, 3.1), 0.0, 42, 0.8, ('L', 'P', 'S')),
    Site('west', (9.0, 2.5, 2.5), 0.9, 28, 1.4, ('L', 'A', 'S')),
)
