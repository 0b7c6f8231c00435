"""Make a healthy phantom chest in HU, on any grid.

Axes are Z Y X: foot to head, front to back, the patient's right to left, in mm from the centre.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

AIR, FAT, MUSCLE, BLOOD, BONE, LUNG = -1000, -95, 45, 40, 320, -860
"""HU of each tissue."""


@dataclass
class Grid:
    """A grid of voxels around the centre of the chest.

    Attributes:
        shape: (Z, Y, X).
        spacing: (z, y, x) in mm.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions in mm along z, y and x, shaped to broadcast to (Z, Y, X)."""
        z, y, x = (
            (np.arange(n) - (n - 1) / 2) * step
            for n, step in zip(self.shape, self.spacing, strict=True)
        )
        return z[:, None, None], y[:, None], x

    def smooth_noise(self, rng: np.random.Generator, mm: float) -> np.ndarray:
        """Noise (Z, Y, X) with a standard deviation of 1 and peaks about ``mm`` apart."""
        noise = gaussian_filter(rng.normal(size=self.shape), mm / 2 / np.array(self.spacing))
        return noise / noise.std()


@dataclass
class Chest:
    """A chest: its HU, lungs and vessels.

    Attributes:
        hu: float (Z, Y, X).
        lungs: int8 (Z, Y, X): 1 the patient's right, 2 the left, 0 elsewhere.
        vessels: bool (Z, Y, X), inside the lungs.
    """

    hu: np.ndarray
    lungs: np.ndarray
    vessels: np.ndarray


def make_chest(grid: Grid, rng: np.random.Generator) -> Chest:
    """Draw a chest. Size, shape and vessels are random, so that patients differ."""
    z, y, x = grid.axes()
    wide, deep = rng.uniform(135, 155), rng.uniform(95, 110)
    body = (x / wide) ** 2 + (y / deep) ** 2
    fat = rng.uniform(0.12, 0.24)
    hu = np.where(body < 1, FAT, AIR) * np.ones(grid.shape)
    hu[np.broadcast_to(body < (1 - fat), grid.shape)] = MUSCLE
    lungs = _lungs(grid, rng, wide, deep)
    _add_bones(hu, grid, lungs, deep)
    lungs[_heart(grid, rng)] = 0
    tissue = LUNG + 25 * grid.smooth_noise(rng, 25) + 35 * (y / deep)  # denser at the back
    hu = np.where(lungs > 0, tissue, hu)
    vessels = _vessels(grid, lungs, rng)
    hu[vessels] = BLOOD - rng.uniform(0, 60)
    _add_airways(hu, grid)
    return Chest(hu, lungs, vessels)


def _lungs(grid: Grid, rng: np.random.Generator, wide: float, deep: float) -> np.ndarray:
    z, y, x = grid.axes()
    lungs = np.zeros(grid.shape, np.int8)
    height = rng.uniform(110, 125)
    for side, code in ((-1, 1), (1, 2)):
        dome = rng.uniform(15, 35) * np.exp(-((x - side * 65) ** 2 + y**2) / 60**2)  # diaphragm
        above = z > -height + dome
        narrowing = np.sqrt(np.clip(1 - ((z + 0.35 * height) / (1.3 * height)) ** 2, 0, 1))
        across = (x - side * 0.45 * wide) / (0.40 * wide * narrowing + 1e-3)
        along = (y - 4) / (0.74 * deep * narrowing + 1e-3)
        lungs[(across**2 + along**2 < 1) & above & (np.abs(x) > 14)] = code
    return lungs


def _heart(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    z, y, x = grid.axes()
    size = rng.uniform(0.9, 1.15)
    heart = ((x - 22) / 58) ** 2 + ((y + 30) / 42) ** 2 + ((z + 45) / 62) ** 2 < size**2
    great_vessels = (x / 34) ** 2 + ((y + 5) / 36) ** 2 < 1
    return heart | (great_vessels & (z > -40))


def _add_bones(hu: np.ndarray, grid: Grid, lungs: np.ndarray, deep: float) -> None:
    z, y, x = grid.axes()
    in_plane = (1e4, *grid.spacing[1:])  # ribs lie around the lungs, not above or below them
    outside = distance_transform_edt(lungs == 0, sampling=in_plane)
    wall = (outside > 4) & (outside < 11) & (np.abs(x) > 30)
    slant = z + 0.5 * y  # ribs fall to the front
    hu[wall & (np.mod(slant, 26) < 11)] = BONE
    spine = x**2 + (y - 0.72 * deep) ** 2
    hu[np.broadcast_to(spine < 20**2, hu.shape)] = BONE
    hu[np.broadcast_to(spine < 15**2, hu.shape)] = BONE - 160
    hu[np.broadcast_to((np.abs(x) < 16) & (np.abs(y + 0.83 * deep) < 6), hu.shape)] = BONE - 120


def _add_airways(hu: np.ndarray, grid: Grid) -> None:
    z, y, x = grid.axes()
    trachea = (x**2 + (y - 12) ** 2 < 9**2) & (z > 20)
    fork = np.abs(x) - 0.9 * (20 - z)
    bronchi = (fork**2 + (y - 14) ** 2 < 6**2) & (z <= 22) & (np.abs(x) < 48)
    hu[trachea | bronchi] = AIR + 15


def _vessels(grid: Grid, lungs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tree of shrinking branches from each hilum."""
    vessels = np.zeros(grid.shape, bool)
    for code, side in ((1, -1), (2, 1)):
        by_radius: dict[float, list[np.ndarray]] = {}
        hilum = np.array([-10.0, 10.0, side * 34.0])
        for _ in range(9):
            heading = rng.normal(size=3) * (1.0, 0.8, 0.4) + (0, 0, side)
            _grow(hilum, heading, 3.4, 45.0, rng, by_radius)
        for radius, points in by_radius.items():
            line = np.zeros(grid.shape, bool)
            line[tuple(_voxels(np.concatenate(points), grid).T)] = True
            thick = distance_transform_edt(~line, sampling=grid.spacing) <= radius
            vessels |= thick & (lungs == code)
    return vessels


def _grow(
    start: np.ndarray,
    heading: np.ndarray,
    radius: float,
    length: float,
    rng: np.random.Generator,
    by_radius: dict[float, list[np.ndarray]],
) -> None:
    """Add the points (mm) of a branch and of all its branches to ``by_radius``."""
    heading = heading / np.linalg.norm(heading)
    end = start + heading * length
    steps = np.linspace(0, 1, max(int(length), 2))[:, None]
    by_radius.setdefault(round(radius, 1), []).append(start + steps * (end - start))
    if radius > 1.3:
        for _ in range(3):
            turned = heading + rng.normal(0, 0.45, 3)
            _grow(end, turned, radius * 0.62, length * 0.72, rng, by_radius)


def _voxels(points: np.ndarray, grid: Grid) -> np.ndarray:
    """Voxel indices (N, 3) of points (N, 3) in mm; points outside of the grid are left out."""
    voxels = np.rint(points / grid.spacing + (np.array(grid.shape) - 1) / 2).astype(int)
    return voxels[((voxels >= 0) & (voxels < grid.shape)).all(1)]
