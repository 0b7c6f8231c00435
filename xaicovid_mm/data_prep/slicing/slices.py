"""One scan as slices: what a store keeps and what a model is shown."""

from dataclasses import dataclass

import numpy as np

from ...utils.errors import ScanError
from ..volume import Volume
from .grid import SliceGrid, lung_square

OUTSIDE_HU = -1024


@dataclass(frozen=True)
class SliceSpec:
    """How scans become slices.

    Attributes:
        size: H = W; the paper has 224.
        spacing_mm: (z, y, x) to resample to, along z: the planes' distance; the paper has 1 1 1.
            None keeps the planes of the scan. In the plane ``size`` and the field of view decide.
        crop_lung: Cut each case to the square around its lungs, this share larger on each side;
            None keeps the whole field of view, stretched to a square.
        min_lung_px: Slices with less lung at their final size are left out.
        min_slices: A scan with fewer is refused: it is a localizer or a part of a scan.
    """

    size: int = 224
    spacing_mm: tuple[float, float, float] | None = None
    crop_lung: float | None = None
    min_lung_px: int = 100
    min_slices: int = 5

    def grid(self, scan: Volume, lung: np.ndarray) -> SliceGrid:
        """The box of planes for a scan with lungs (Z, Y, X)."""
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
        image: float32 (N, H, W), HU or display values.
        lung: bool (N, H, W), infection included.
        infection: bool (N, H, W), or None where it is not known.
        planes: (N,) which planes of the grid they are.
        grid: Where those lie in the upright scan.
    """

    image: np.ndarray
    lung: np.ndarray
    infection: np.ndarray | None
    planes: np.ndarray
    grid: SliceGrid

    @property
    def source_slices(self) -> np.ndarray:
        """(N,) the nearest slice of the upright scan to each."""
        return np.rint(self.grid.scale[0] * self.planes + self.grid.offset[0]).astype(int)


def extract_slices(
    scan: Volume, lung: np.ndarray, infection: np.ndarray | None, how: SliceSpec, outside: float
) -> CaseSlices:
    """Cut a scan into slices.

    Args:
        scan: Upright.
        lung: bool (Z, Y, X).
        infection: bool (Z, Y, X) or None.
        how: Sizes and limits.
        outside: Value beyond the field of view, where a crop reaches there.

    Raises:
        ScanError: If the scan has too few slices, or none has enough lung.
    """
    if len(scan.data) < how.min_slices:
        raise ScanError(
            f'the scan has {len(scan.data)} slices, fewer than {how.min_slices}',
            'leave it out, or lower min_slices (--min-slices)',
        )
    if not lung.any():
        raise ScanError('no lung was found', 'look at the scan: is it a chest in HU?')
    grid = how.grid(scan, lung)
    lungs = grid.cut(lung) > 0.5
    infected = None if infection is None else grid.cut(infection) > 0.5
    if infected is not None:
        lungs |= infected
    planes = np.flatnonzero(lungs.sum((1, 2)) >= how.min_lung_px)
    if not len(planes):
        raise ScanError(
            f'no slice has {how.min_lung_px} px of lung', 'look at the scan: is it a chest in HU?'
        )
    return CaseSlices(
        grid.cut(scan.data, smooth=True, outside=outside)[planes],
        lungs[planes],
        None if infected is None else infected[planes],
        planes,
        grid,
    )
