"""``SliceGrid``: where slices lie in the upright scan, to cut them out and to paste them back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from ..orientation import from_upright, to_upright


@dataclass(frozen=True)
class SliceGrid:
    """A box of planes in an upright volume (Z, Y, X).

    Voxel i of the box lies at ``scale * i + offset`` in the upright volume, axis by axis. Voxel
    indices count from the centre of a voxel.

    Attributes:
        scale: (z, y, x), upright voxels per voxel of the box.
        offset: (z, y, x), in upright voxels.
        shape: (planes, H, W); planes that a store leaves out are counted too.
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    shape: tuple[int, int, int]

    @classmethod
    def of_box(
        cls,
        low: Sequence[float],
        high: Sequence[float],
        shape: Sequence[int],
    ) -> 'SliceGrid':
        """Make the grid that divides a box into voxels.

        Args:
            low: Lowest corner (z, y, x), in edges of upright voxels: 0 is the edge of the first.
            high: Highest corner (z, y, x), likewise.
            shape: (planes, H, W).
        """
        scale = [(b - a) / n for a, b, n in zip(low, high, shape, strict=True)]
        offset = [a - 0.5 + s / 2 for a, s in zip(low, scale, strict=True)]
        z, y, x = shape
        return cls((scale[0], scale[1], scale[2]), (offset[0], offset[1], offset[2]), (z, y, x))

    def cut(self, volume: np.ndarray, smooth: bool = False, outside: float = 0.0) -> np.ndarray:
        """Sample an upright volume linearly at the voxels of the box.

        Args:
            volume: (Z, Y, X).
            smooth: Blur first along axes that shrink, to avoid aliasing.
            outside: Value of voxels beyond the edges of the volume.

        Returns:
            float32 (planes, H, W).
        """
        volume = np.asarray(volume, np.float32)
        if smooth:
            volume = gaussian_filter(volume, [max((s - 1) / 2, 0) for s in self.scale])
        return _sampled(volume, self.scale, self.offset, self.shape, 1, outside)

    def paste(self, planes: np.ndarray, upright_shape: Sequence[int], order: int) -> np.ndarray:
        """Make an upright volume that shows ``planes`` inside of the box and is 0 outside.

        Args:
            planes: (planes, H, W), all planes of the box.
            upright_shape: (Z, Y, X).
            order: 0 takes the nearest plane and pixel, for masks; 1 is linear, for maps.
        """
        scale = [1 / s for s in self.scale]
        offset = [-o / s for o, s in zip(self.offset, self.scale, strict=True)]
        return _sampled(planes, scale, offset, upright_shape, order, 0.0)


def lung_square(
    lung: np.ndarray, margin: float, spacing: Sequence[float] = (1.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Find the square around the lungs of all slices, as seen from above.

    Args:
        lung: bool (Z, Y, X), not empty.
        margin: Share of the square's side that is added on each side.
        spacing: (y, x); the square has sides of the same length in these units, such as mm.

    Returns:
        Its lowest and highest corner (y, x), in edges of voxels. They may lie beyond the volume.
    """
    rows, columns = (np.flatnonzero(lung.any(axes)) for axes in ((0, 2), (0, 1)))
    low = np.array([rows[0], columns[0]], float)
    high = np.array([rows[-1] + 1, columns[-1] + 1], float)
    ratio = np.asarray(spacing) / spacing[0]  # exactly 1 for square pixels of any size
    side = ((high - low) * ratio).max() * (1 + 2 * margin) / ratio
    return (low + high - side) / 2, (low + high + side) / 2


def slices_to_file_grid(
    stack: np.ndarray,
    *,
    planes: Sequence[int] | np.ndarray,
    grid: SliceGrid,
    affine: np.ndarray,
    original_shape: Sequence[int],
    order: int = 0,
) -> np.ndarray:
    """Bring a mask or map of slices back to the voxel grid of the scan's file.

    Args:
        stack: (N, H, W), a mask or a map of the slices.
        planes: (N,), which planes of the grid the slices are; all other planes become 0.
        grid: Grid of the slices.
        affine: 4x4 of the file.
        original_shape: Shape of the file's array.
        order: 0 for masks, 1 for maps, see ``SliceGrid.paste``.

    Returns:
        Array of ``original_shape`` in the axis order of the file.
    """
    full = np.zeros(grid.shape, stack.dtype)
    full[np.asarray(planes)] = stack
    upright_shape = to_upright(np.broadcast_to(np.int8(0), tuple(original_shape)), affine).shape
    return from_upright(grid.paste(full, upright_shape, order), affine)


def _sampled(
    array: np.ndarray,
    scale: Sequence[float],
    offset: Sequence[float],
    shape: Sequence[int],
    order: int,
    outside: float,
) -> np.ndarray:
    """``array`` sampled at scale * index + offset; ``outside`` beyond the edges of its voxels."""
    sampled = affine_transform(
        array, np.asarray(scale), offset, tuple(shape), order=order, mode='nearest'
    )
    for axis, (s, o, count, size) in enumerate(zip(scale, offset, shape, array.shape, strict=True)):
        position = s * np.arange(count) + o
        beyond = np.flatnonzero((position < -0.5) | (position > size - 0.5))
        np.moveaxis(sampled, axis, 0)[beyond] = outside
    return sampled
