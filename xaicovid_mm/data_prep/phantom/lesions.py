"""Add the disease of a class to a phantom chest and give its mask, exact to the voxel."""

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .anatomy import Chest, Grid


def add_covid(chest: Chest, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Add COVID-19: multifocal, peripheral and basal ground glass, in part consolidated.

    A focus is a patch along the pleura: wide along it, and at most about 25 mm deep.

    Returns:
        bool (Z, Y, X): the infection, inside the lungs, vessels within it included.
    """
    infection = np.zeros(grid.shape, bool)
    texture = grid.smooth_noise(rng, 9)
    depth = distance_transform_edt(chest.lungs > 0, sampling=grid.spacing)
    seats = _seats(chest, grid, depth)
    for _ in range(rng.integers(8, 15)):
        centre = np.unravel_index(rng.choice(seats.size, p=seats.ravel()), grid.shape)
        radius = rng.uniform(24, 54) * np.array([0.7, rng.uniform(0.7, 1.2), rng.uniform(0.7, 1.2)])
        field = 1 - _distance(grid, centre, radius) + 0.35 * texture
        shallow = depth < rng.uniform(13, 26) + 4 * texture
        patch = (field > 0) & shallow & (chest.lungs == chest.lungs[centre])
        glass = rng.uniform(-650, -380) + 45 * texture
        _blend(chest, patch, glass, grid)
        if rng.random() < 0.35:
            core = patch & (field > 0.55)
            _blend(chest, core, rng.uniform(-120, 30) + 30 * texture, grid)
        infection |= patch
    return infection


def add_pneumonia(chest: Chest, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Add CAP: dense consolidation of one lobe or segment, with air in its bronchi.

    Returns:
        bool (Z, Y, X): the consolidation. It is not a COVID-19 infection.
    """
    z, y, x = grid.axes()
    side = int(rng.integers(1, 3))
    lung = chest.lungs == side
    fissure = z + 0.7 * y + rng.uniform(-25, 25)
    lobe = lung & ((fissure > 0) if rng.random() < 0.45 else (fissure < 0))
    texture = grid.smooth_noise(rng, 12)
    seats = np.argwhere(lobe if lobe.any() else lung)
    centre = tuple(seats[rng.integers(len(seats))])
    reach = rng.uniform(60, 110)
    filled = lobe & (1 - _distance(grid, centre, np.full(3, reach)) + 0.3 * texture > 0)
    _blend(chest, filled, rng.uniform(-60, 35) + 20 * texture, grid)
    branches = np.abs(np.sin((x + 0.6 * y) / 9) * np.cos((z - 0.4 * y) / 13))
    chest.hu[filled & (branches > 0.93)] = -880
    return filled


def _seats(chest: Chest, grid: Grid, depth: np.ndarray) -> np.ndarray:
    """Probability (Z, Y, X) that a COVID-19 lesion starts: high near the ribs, low and dorsal."""
    z, y, x = grid.axes()
    weight = np.exp(-depth / 6 - z / 40 + y / 60 + np.abs(x) / 40)
    weight *= chest.lungs > 0
    return weight / weight.sum()


def _distance(grid: Grid, centre: tuple, radius: np.ndarray) -> np.ndarray:
    """Distance from a voxel in units of the radii, (Z, Y, X)."""
    steps = [axis - axis.ravel()[i] for axis, i in zip(grid.axes(), centre, strict=True)]
    return np.sqrt(sum((step / r) ** 2 for step, r in zip(steps, radius, strict=True)))


def _blend(chest: Chest, region: np.ndarray, hu: np.ndarray, grid: Grid) -> None:
    """Fill a region with ``hu``, with a soft edge. Vessels and denser voxels do not change."""
    share = gaussian_filter(region.astype(float), 2.0 / np.array(grid.spacing)) * region
    filled = chest.hu + share * (hu - chest.hu)
    chest.hu[:] = np.where(region & ~chest.vessels, np.maximum(chest.hu, filled), chest.hu)
