"""From the slices of a store back to the scans they come from."""

from collections.abc import Sequence

import numpy as np
from nibabel.orientations import inv_ornt_aff

from ...utils.errors import StoreError
from ..orientation import turn
from ..slicing.grid import SliceGrid, to_scan
from .reader import SliceStore
from .records import Case


def to_file_grid(store: SliceStore, number: int, stack: np.ndarray, order: int = 0) -> np.ndarray:
    """Bring a mask or map of a case's slices back to the grid of its file.

    Args:
        store: Where the case is.
        number: Its position in ``store.cases``.
        stack: (N, H, W), one for each stored slice, in their order.
        order: 0 takes the nearest slice and pixel, for masks; 1 is linear, for maps.

    Returns:
        Array of the file's shape and axis order; 0 in slices that were left out, and outside a
        crop.

    Raises:
        StoreError: If the stack is of another shape, or the case has no place in a scan.
    """
    case = store.cases[number]
    grid, affine = _place(case)
    if stack.shape != (case.rows, *grid.shape[1:]):
        raise StoreError(
            f'case {case.name!r}: the stack is {stack.shape}, stored are '
            f'{(case.rows, *grid.shape[1:])}',
            'give one plane for each stored slice',
        )
    planes: Sequence[int] = store.index['plane'][case.first_row : case.first_row + case.rows]
    return to_scan(stack, planes, grid, affine, case.original_shape, order)


def to_source(case: Case) -> np.ndarray:
    """4x4 from a stored voxel (plane, y, x) to the voxel (i, j, k) of the file; exact.

    The plane is the one of the index, not the position in the stored stack: slices that were left
    out count.

    Raises:
        StoreError: If the case has no place in a scan.
    """
    grid, affine = _place(case)
    to_upright = np.diag([*grid.scale, 1.0])
    to_upright[:3, 3] = grid.offset
    return (
        inv_ornt_aff(turn(affine), tuple(case.original_shape))
        @ np.eye(4)[[2, 1, 0, 3]]
        @ to_upright
    )


def stored_affine(case: Case) -> np.ndarray:
    """4x4 from a stored voxel (plane, y, x) to mm (RAS), see ``to_source``."""
    return np.asarray(case.affine, float) @ to_source(case)


def _place(case: Case) -> tuple[SliceGrid, np.ndarray]:
    if case.grid is None or case.affine is None:
        raise StoreError(
            f'case {case.name!r} has no affine, so nothing says where it lies',
            'only volumes have a way back',
        )
    return SliceGrid(**case.grid), np.asarray(case.affine, float)
