"""Cut a scan into the slices that a store keeps and a model gets."""

from dataclasses import dataclass

import numpy as np

from ...utils.errors import ScanError
from ...utils.words import counted
from ..volume import Volume
from .grid import SliceGrid, lung_square

OUTSIDE_HU = -1024
"""HU beyond the field of view, where a crop reaches there."""
_IS_IT_A_CHEST = 'look at the scan: is it a chest in HU?'


@dataclass(frozen=True)
class SliceSpec:
    """How scans are cut into slices.

    Attributes:
        size: H = W; 224 in the paper.
        spacing_mm: (z, y, x); 1 1 1 in the paper. Only z is used: planes lie that far apart. None
            keeps the planes of the scan. In the plane, ``size`` and the field of view decide.
        crop_lung: Crop each case to the square around its lungs, this share larger on each side.
            None keeps the whole field of view, stretched to a square. Not in the paper.
        min_lung_px: Slices with fewer pixels of lung, at their final size, are left out.
        min_slices: Scans with fewer slices are refused: they are localizers or parts of a scan.
    """

    size: int = 224
    spacing_mm: tuple[float, float, float] | None = None
    crop_lung: float | None = None
    min_lung_px: int = 100
    min_slices: int = 5

    def grid(self, scan: Volume, lung: np.ndarray) -> SliceGrid:
        """The grid of slices of a scan with lungs, bool (Z, Y, X)."""
        depth, *sides = scan.data.shape
        low, high = np.zeros(2), np.array(sides, float)
        if self.crop_lung is not None:
            low, high = lung_square(lung, self.crop_lung, scan.spacing_mm[1:])
        planes = depth
        if self.spacing_mm is not None:
            planes = max(round(depth * scan.spacing_mm[0] / self.spacing_mm[0]), 1)
        return SliceGrid.of_box((0, *low), (depth, *high), (planes, self.size, self.size))


@dataclass(frozen=True)
class CaseSlices:
    """The slices of a scan that show lung.

    Attributes:
        image: float32 (N, H, W), HU or display values, whole numbers as a store keeps them.
        lung: bool (N, H, W), as given or found: infection that lies outside stays outside.
        infection: bool (N, H, W); None if it is unknown.
        cause: bool (N, H, W); None if it is unknown.
        planes: int (N,), which planes of the grid the slices are.
        grid: Where the planes lie in the upright scan.
    """

    image: np.ndarray
    lung: np.ndarray
    infection: np.ndarray | None
    cause: np.ndarray | None
    planes: np.ndarray
    grid: SliceGrid

    @property
    def source_slices(self) -> np.ndarray:
        """int (N,), the nearest slice of the upright scan to each of the slices."""
        return np.rint(self.grid.scale[0] * self.planes + self.grid.offset[0]).astype(int)


def enough_lung(lungs: np.ndarray, min_lung_px: int) -> np.ndarray:
    """Which slices of lungs (Z, H, W), at their final size, have enough pixels; int (N,)."""
    return np.flatnonzero(lungs.sum((1, 2)) >= min_lung_px)


def extract_slices(
    scan: Volume,
    lung: np.ndarray,
    infection: np.ndarray | None = None,
    cause: np.ndarray | None = None,
    *,
    spec: SliceSpec,
    outside: float,
) -> CaseSlices:
    """Cut a scan into slices.

    Args:
        scan: Upright.
        lung: bool (Z, Y, X).
        infection: bool (Z, Y, X); None if it is unknown. It decides nothing about the slices.
        cause: As infection.
        spec: Sizes and limits.
        outside: Value beyond the field of view, where a crop reaches there.

    Raises:
        ScanError: If the scan has too few slices, or no slice shows enough lung. The message does
            not name the scan.
    """
    if len(scan.data) < spec.min_slices:
        raise ScanError(
            f'the scan has {counted(len(scan.data), "slice")}, fewer than {spec.min_slices}',
            'leave it out, or prepare it with a smaller --min-slices',
        )
    if not lung.any():
        raise ScanError('no lung was found', _IS_IT_A_CHEST)
    grid = spec.grid(scan, lung)
    lungs = grid.cut(lung) > 0.5
    planes = enough_lung(lungs, spec.min_lung_px)
    if not len(planes):
        raise ScanError(f'no slice has {spec.min_lung_px} px of lung', _IS_IT_A_CHEST)
    infected, caused = (
        None if mask is None else grid.cut(mask)[planes] > 0.5 for mask in (infection, cause)
    )
    return CaseSlices(
        image=np.rint(grid.cut(scan.data, smooth=True, outside=outside)[planes]),
        lung=lungs[planes],
        infection=infected,
        cause=caused,
        planes=planes,
        grid=grid,
    )
