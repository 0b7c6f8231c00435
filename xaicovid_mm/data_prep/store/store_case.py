"""``StoreCase``: a case as it goes into a store."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...classes import COVID
from ...utils.errors import StoreError
from ...utils.names import folder_fault
from ..slicing.grid import SliceGrid
from .schema import EMPTY, INDEX_DTYPE, STORED, UNKNOWN


@dataclass(frozen=True, kw_only=True)
class StoreCase:
    """A case as it goes into a store: its slices, and what is known about them.

    Attributes:
        name: Unique in the store; it names the folder of the case.
        patient: The same for all scans of a patient.
        site: Where the scan was made.
        image: (Z, H, W) in HU or display values, already at the store's size.
        label: Class; None if unknown.
        lung: (Z, H, W) mask or None.
        infection: (Z, H, W) mask or None; without one, NP and CAP count as free of infection.
        cause: (Z, H, W) mask of all that makes the case its class, or None.
        source_slices: (Z,), position of each slice in the input; by default 0 to Z - 1.
        planes: (Z,), which planes of ``grid`` the slices are; by default 0 to Z - 1.
        grid: Where the slices lie in the upright input.
        spacing_mm: (z, y, x) of the stored slices.
        affine: 4x4 of the input.
        original_shape: Shape of the input; by default that of ``image``.
        sha256: Hashes of the input files, in the order image, infection, lung, cause.
        notes: What was decided or changed while the case was prepared.
        key: Changes with all that the case is made of, see ``StoreWriter.keep_case``.
    """

    name: str
    patient: str
    site: str
    image: np.ndarray
    label: int | None = None
    lung: np.ndarray | None = None
    infection: np.ndarray | None = None
    cause: np.ndarray | None = None
    source_slices: Sequence[int] | np.ndarray | None = None
    planes: Sequence[int] | np.ndarray | None = None
    grid: SliceGrid | None = None
    spacing_mm: Sequence[float] | np.ndarray | None = None
    affine: np.ndarray | None = None
    original_shape: Sequence[int] | None = None
    sha256: Sequence[str] = ()
    notes: Sequence[str] = ()
    key: str = ''

    def check(self, size: tuple[int, int]) -> None:
        """Refuse a case that a store of slices of this size (H, W) cannot hold.

        Raises:
            StoreError: If the name is unfit for a folder, a shape differs, a value is not finite,
                or the image has no contrast.
        """
        check_name(self.name)
        case, image = f'case {self.name!r}', self.image
        if image.ndim != 3 or image.shape[1:] != size:
            raise StoreError(
                f'{case}: image is {image.shape}, the store holds slices of {size}',
                'resample it to the size of the store',
            )
        for column, mask in self._masks():
            if mask is not None and mask.shape != image.shape:
                raise StoreError(
                    f'{case}: {column} mask is {mask.shape}, image is {image.shape}',
                    'give a mask on the grid of the image',
                )
        if not np.isfinite(image).all():
            raise StoreError(f'{case}: image holds NaN or infinity', 'export the input again')
        if image.min() == image.max():
            raise StoreError(
                f'{case}: every pixel is {image.min()}, so the image shows nothing',
                'export the input again',
            )

    def arrays(self, dtype: type[np.integer]) -> dict[str, np.ndarray]:
        """The arrays of the case's folder: image in a type of integers, masks uint8, index rows."""
        limits = np.iinfo(dtype)
        image = np.rint(self.image).clip(limits.min, limits.max).astype(dtype)
        arrays = dict(image=image, rows=self.index_rows())
        for column, mask in self._masks():
            if mask is not None:
                arrays[column] = (mask > 0).astype(np.uint8)
        return arrays

    def index_rows(self) -> np.ndarray:
        """The case's rows of the index, ``INDEX_DTYPE`` (Z,); the number of the case is not set."""
        rows = np.zeros(len(self.image), INDEX_DTYPE)
        in_order = np.arange(len(self.image))
        rows['slice'] = in_order
        rows['source_slice'] = in_order if self.source_slices is None else self.source_slices
        rows['plane'] = in_order if self.planes is None else self.planes
        rows['label'] = -1 if self.label is None else self.label
        rows['infection'] = self._infection_state()
        rows['infection_px'] = 0 if self.infection is None else (self.infection > 0).sum((1, 2))
        rows['lung_px'] = -1 if self.lung is None else (self.lung > 0).sum((1, 2))
        return rows

    def record(self) -> dict[str, Any]:
        """What ``cases.jsonl`` says of the case, ready for JSON."""
        spacing, affine = self.spacing_mm, self.affine
        cause = {} if self.cause is None else dict(has_cause=True)
        return cause | dict(
            name=self.name,
            patient=self.patient,
            site=self.site,
            label=self.label,
            folder=f'cases/{self.name}',
            rows=len(self.image),
            has_lung=self.lung is not None,
            has_infection=self.infection is not None,
            spacing_mm=None if spacing is None else [float(mm) for mm in spacing],
            affine=None if affine is None else np.asarray(affine, float).tolist(),
            original_shape=[int(n) for n in self.original_shape or self.image.shape],
            grid=None if self.grid is None else asdict(self.grid),
            sha256=list(self.sha256),
            notes=list(self.notes),
        )

    def _masks(self) -> tuple[tuple[str, np.ndarray | None], ...]:
        return ('lung', self.lung), ('infection', self.infection), ('cause', self.cause)

    def _infection_state(self) -> int:
        if self.infection is not None:
            return STORED
        return UNKNOWN if self.label in (None, COVID) else EMPTY


def check_name(name: str) -> None:
    """Refuse a case name that is unfit for a folder.

    Raises:
        StoreError: Naming it.
    """
    if fault := folder_fault(name):
        raise StoreError(
            f'case name {name!r} is unfit for a folder: it {fault}', 'use letters, digits, - _ .'
        )
