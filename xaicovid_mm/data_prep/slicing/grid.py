"""``SliceGrid``: where slices lie in the upright scan, to cut them out and to paste them back."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

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
        steps = zip(self.scale, self.offset, self.shape, volume.shape, strict=True)
        axes = [
            _Axis.linear(*step, sigma=max((step[0] - 1) / 2, 0) if smooth else 0) for step in steps
        ]
        cut = np.full(self.shape, outside, np.float32)
        small = np.zeros((len(volume), axes[1].weights.shape[0], axes[2].weights.shape[0]))
        for plane, sampled in zip(volume, small, strict=True):
            if plane.any():
                sampled[:] = _in_plane(axes, plane)
        for plane, shown in zip(_across(axes[0], small), cut[_inside(axes)], strict=True):
            shown[:] = plane
        return cut

    def paste(self, planes: np.ndarray, upright_shape: Sequence[int], order: int) -> np.ndarray:
        """Make an upright volume that shows ``planes`` inside of the box and is 0 outside.

        Args:
            planes: (planes, H, W), all planes of the box.
            upright_shape: (Z, Y, X).
            order: 0 takes the nearest plane and pixel, for masks; 1 is linear, for maps.
        """
        scale = [1 / s for s in self.scale]
        offset = [-o / s for o, s in zip(self.offset, self.scale, strict=True)]
        steps = zip(scale, offset, upright_shape, planes.shape, strict=True)
        pasted = np.zeros(tuple(upright_shape), planes.dtype)
        if order == 0:
            box, voxels = zip(*(_nearest(*step) for step in steps), strict=True)
            pasted[box] = planes.take(voxels[0], 0).take(voxels[1], 1).take(voxels[2], 2)
            return pasted
        axes = [_Axis.linear(*step) for step in steps]
        box = pasted[_inside(axes)]
        for plane, shown in zip(_across(axes[0], planes), box, strict=True):
            values = _in_plane(axes, plane)
            shown[:] = np.rint(values) if planes.dtype.kind in 'iu' else values
        return pasted


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


@dataclass(frozen=True)
class _Axis:
    """How one axis is sampled: the samples that lie within it, and a row of weights for each.

    Sparse matrices do the work of ``scipy.ndimage.affine_transform`` in a tenth of its time.
    """

    inside: slice
    weights: csr_array

    @classmethod
    @lru_cache(16)  # a scan and its masks are cut alike
    def linear(
        cls, scale: float, offset: float, count: int, size: int, sigma: float = 0.0
    ) -> '_Axis':
        """Samples at scale * index + offset of ``size`` voxels, blurred by ``sigma`` voxels."""
        inside, place = _places(scale, offset, count, size)
        place = place.clip(0, size - 1)  # up to the edges it is as at the outermost centres
        low = np.floor(place).astype(int)
        rows, high = np.arange(len(place)), np.minimum(low + 1, size - 1)
        weights = np.zeros((len(place), size))
        np.add.at(weights, (rows, low), 1 - (place - low))
        np.add.at(weights, (rows, high), place - low)
        if sigma:
            weights = weights @ gaussian_filter1d(np.eye(size), sigma, axis=0)
        return cls(inside, csr_array(weights))


def _places(scale: float, offset: float, count: int, size: int) -> tuple[slice, np.ndarray]:
    """Which samples lie within the edges of an axis, and where, in voxels."""
    place = scale * np.arange(count) + offset
    found = np.flatnonzero((place >= -0.5) & (place <= size - 0.5))
    inside = slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0)
    return inside, place[inside]


def _nearest(scale: float, offset: float, count: int, size: int) -> tuple[slice, np.ndarray]:
    """Which samples lie within the edges of an axis, and the voxel that is nearest to each."""
    inside, place = _places(scale, offset, count, size)
    return inside, np.floor(place + 0.5).astype(int).clip(0, size - 1)


def _inside(axes: Sequence[_Axis]) -> tuple[slice, ...]:
    return tuple(axis.inside for axis in axes)


def _in_plane(axes: Sequence[_Axis], plane: np.ndarray) -> np.ndarray:
    """Sample a plane (Y, X) along its two axes; float64."""
    return (axes[2].weights @ (axes[1].weights @ plane).T).T


def _across(axis: _Axis, planes: np.ndarray) -> Iterator[np.ndarray]:
    """Sample planes (Z, Y, X) along z, one after the other; float64."""
    weights = axis.weights
    for start, end in itertools.pairwise(weights.indptr):
        steps = zip(weights.data[start:end], weights.indices[start:end], strict=True)
        yield sum(weight * planes[z].astype(np.float64) for weight, z in steps)
