"""Where stored slices lie in the scan they come from, there and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from ..orientation import from_upright, to_upright


@dataclass(frozen=True)
class SliceGrid:
    """A box of planes cut from an upright volume (Z, Y, X).

    The voxel that is stored at index i lies at ``scale * i + offset`` of the upright volume, axis
    by axis; whole voxels are counted from their centres.

    Attributes:
        scale: (z, y, x), upright voxels per stored one.
        offset: (z, y, x), in upright voxels.
        shape: (planes, H, W), planes that are left out of the store included.
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
        """Cut the box between two corners, edges of voxels (z, y, x), into ``shape`` voxels."""
        scale = [(b - a) / n for a, b, n in zip(low, high, shape, strict=True)]
        offset = [a - 0.5 + s / 2 for a, s in zip(low, scale, strict=True)]
        z, y, x = shape
        return cls((scale[0], scale[1], scale[2]), (offset[0], offset[1], offset[2]), (z, y, x))

    def cut(self, volume: np.ndarray, smooth: bool = False, outside: float = 0.0) -> np.ndarray:
        """Linear samples (planes, H, W) of an upright volume, float32.

        Args:
            volume: (Z, Y, X).
            smooth: Blur first along axes that shrink, so that nothing aliases.
            outside: Value beyond the volume; its border voxels reach half a voxel further.
        """
        volume = np.asarray(volume, np.float32)
        if smooth:
            volume = gaussian_filter(volume, [max((s - 1) / 2, 0) for s in self.scale])
        return _sampled(volume, self.scale, self.offset, self.shape, 1, outside)

    def paste(self, planes: np.ndarray, upright_shape: Sequence[int], order: int) -> np.ndarray:
        """An upright volume of which the box holds ``planes`` (planes, H, W), and the rest 0.

        Args:
            planes: In the order of the box, zeros where one was left out.
            upright_shape: (Z, Y, X).
            order: 0 takes the nearest plane and pixel, for masks; 1 is linear, for maps.
        """
        scale = [1 / s for s in self.scale]
        offset = [-o / s for o, s in zip(self.offset, self.scale, strict=True)]
        return _sampled(planes, scale, offset, upright_shape, order, 0.0)


def lung_square(
    lung: np.ndarray, margin: float, spacing: Sequence[float] = (1.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """The square around the lungs of all slices, seen from above.

    Args:
        lung: (Z, Y, X), not empty.
        margin: Share of the square's side that is added on each side.
        spacing: (y, x): what is square is so in mm.

    Returns:
        Its corners (y, x), low and high, in edges of voxels; they may lie beyond the volume.
    """
    rows, columns = (np.flatnonzero(lung.any(axes)) for axes in ((0, 2), (0, 1)))
    low = np.array([rows[0], columns[0]], float)
    high = np.array([rows[-1] + 1, columns[-1] + 1], float)
    side = ((high - low) * spacing).max() * (1 + 2 * margin) / np.asarray(spacing)
    return (low + high - side) / 2, (low + high + side) / 2


def to_scan(
    stack: np.ndarray,
    planes: Sequence[int],
    grid: SliceGrid,
    affine: np.ndarray,
    original_shape: Sequence[int],
    order: int = 0,
) -> np.ndarray:
    """Bring what is known of stored slices back to the scan's own grid.

    Args:
        stack: (N, H, W), a mask or a map of the stored slices.
        planes: Which planes of the grid they are; the others are 0.
        grid: Of the case.
        affine: 4x4 of the file.
        original_shape: Of the file.
        order: 0 for masks, 1 for maps.

    Returns:
        Array of ``original_shape`` in the file's own axis order.
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
    """``array`` at scale * index + offset, and ``outside`` beyond the edges of its voxels."""
    found = affine_transform(
        array, np.asarray(scale), offset, tuple(shape), order=order, mode='nearest'
    )
    for axis, (s, o, count, size) in enumerate(zip(scale, offset, shape, array.shape, strict=True)):
        at = s * np.arange(count) + o
        beyond = np.flatnonzero((at < -0.5) | (at > size - 0.5))
        np.moveaxis(found, axis, 0)[beyond] = outside
    return found
