"""Bring what is known of stored slices back to the voxel grid of the scan's file."""

import numpy as np
from nibabel.orientations import inv_ornt_aff

from ...utils.errors import StoreError
from ..orientation import turn
from ..slicing.grid import SliceGrid, slices_to_file_grid
from .reader import SliceStore
from .records import Case


def to_file_grid(store: SliceStore, number: int, stack: np.ndarray, order: int = 0) -> np.ndarray:
    """Bring a mask or map of a case's slices back to the voxel grid of its file.

    Args:
        store: The store of the case.
        number: Position of the case in ``store.cases``.
        stack: (N, H, W), one plane for each stored slice, in their order.
        order: 0 takes the nearest slice and pixel, for masks; 1 is linear, for maps.

    Returns:
        Array of the file's shape and axis order. It is 0 in slices that the store leaves out and
        outside of a crop.

    Raises:
        StoreError: If the stack has another shape, or the case is not from a volume.
    """
    case = store.cases[number]
    grid, affine = _grid_and_affine(case)
    shape = (case.rows, *grid.shape[1:])
    if stack.shape != shape:
        raise StoreError(
            f'case {case.name!r}: the stack is {stack.shape}, the stored slices are {shape}',
            'give one plane for each stored slice',
        )
    return slices_to_file_grid(
        stack,
        planes=store.index['plane'][case.first_row : case.first_row + case.rows],
        grid=grid,
        affine=affine,
        original_shape=case.original_shape,
        order=order,
    )


def to_source(case: Case) -> np.ndarray:
    """Make the exact 4x4 from a stored voxel (plane, y, x) to the voxel (i, j, k) of the file.

    The plane is the one in the index, not the position in the stored stack: planes that the store
    leaves out are counted too.

    Raises:
        StoreError: If the case is not from a volume.
    """
    grid, affine = _grid_and_affine(case)
    to_upright = np.diag([*grid.scale, 1.0])
    to_upright[:3, 3] = grid.offset
    return (
        inv_ornt_aff(turn(affine), tuple(case.original_shape))
        @ np.eye(4)[[2, 1, 0, 3]]
        @ to_upright
    )


def stored_affine(case: Case) -> np.ndarray:
    """Make the 4x4 from a stored voxel (plane, y, x) to mm (RAS), see ``to_source``."""
    return np.asarray(case.affine, float) @ to_source(case)


def _grid_and_affine(case: Case) -> tuple[SliceGrid, np.ndarray]:
    if case.grid is None or case.affine is None:
        raise StoreError(
            f'case {case.name!r} has no affine, so nothing says where it lies',
            'use a store of volumes: image files have no place in a scan',
        )
    return SliceGrid(**case.grid), np.asarray(case.affine, float)
