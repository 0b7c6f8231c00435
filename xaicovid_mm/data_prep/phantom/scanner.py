"""Scan a phantom: position, scanner and site. Nothing here depends on the disease."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from .anatomy import Grid

FIELD_MM = (250, 300, 300)
"""Field of view (z, y, x) of every scan."""


@dataclass(frozen=True)
class Site:
    """A site with one scanner and one protocol.

    Attributes:
        name: Of the site.
        spacing: (z, y, x) in mm.
        blur_mm: Width of the reconstruction kernel; 0 is sharp.
        noise_hu: Standard deviation of the noise.
        grain_mm: Width of the grain of the noise.
        orientation: Axis codes of the files that the scanner writes.
    """

    name: str
    spacing: tuple[float, float, float]
    blur_mm: float
    noise_hu: float
    grain_mm: float
    orientation: tuple[str, str, str]

    def scan(self, hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Scan a chest, HU (Z, Y, X) in the scanner's voxels, with blur and noise: int16 HU."""
        blur, grain = (
            [0, width / self.spacing[1], width / self.spacing[2]]
            for width in (self.blur_mm, self.grain_mm)
        )
        image = gaussian_filter(hu, blur)
        noise = gaussian_filter(rng.normal(size=hu.shape), grain)
        noisy = image + self.noise_hu * noise / noise.std()
        return np.rint(noisy).clip(-1024, 3071).astype(np.int16)


@dataclass
class Position:
    """How a body lies in a scanner.

    Attributes:
        turn_deg: Angle of the turn about the long axis of the body.
        shift_mm: (z, y, x).
    """

    turn_deg: float
    shift_mm: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> 'Position':
        """Draw a position: up to 4 degrees and 6 mm in either direction."""
        return cls(rng.uniform(-4, 4), rng.uniform(-6, 6, 3))

    def place(self, body: np.ndarray, grid: Grid, target: Grid, order: int) -> np.ndarray:
        """Sample the body (Z, Y, X) on another grid. Beyond its ends the last slices repeat."""
        sine, cosine = math.sin(math.radians(self.turn_deg)), math.cos(math.radians(self.turn_deg))
        turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        matrix = np.diag(1 / np.array(grid.spacing)) @ turn @ np.diag(target.spacing)
        centres = [(np.array(g.shape) - 1) / 2 for g in (grid, target)]
        offset = centres[0] - matrix @ centres[1] + self.shift_mm / grid.spacing
        return affine_transform(body, matrix, offset, target.shape, order=order, mode='nearest')


def field_of_view(spacing: tuple[float, float, float]) -> Grid:
    """The grid of ``FIELD_MM`` with voxels of this spacing (z, y, x) in mm."""
    z, y, x = (math.ceil(mm / step) for mm, step in zip(FIELD_MM, spacing, strict=True))
    return Grid((z, y, x), spacing)


SITES = (
    Site('north', (8.0, 2.8, 2.8), 1.6, 18, 2.0, ('R', 'A', 'S')),
    Site('south', (10.0, 3.1, 3.1), 0.0, 42, 0.8, ('L', 'P', 'S')),
    Site('west', (9.0, 2.5, 2.5), 0.9, 28, 1.4, ('L', 'A', 'S')),
)
