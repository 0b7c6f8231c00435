"""The slice store, write side: a case is there whole or not at all."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...classes import CLASSES, COVID
from ...utils.errors import StoreError
from ...utils.files import PARTIAL, remove_folder, write_text
from ..slicing.grid import SliceGrid
from .case_folder import stored_case, write_case
from .index import write_tables
from .schema import EMPTY, FORMAT, INDEX_DTYPE, STORED, UNKNOWN, VERSION


@dataclass(frozen=True, kw_only=True)
class StoreCase:
    """A case as it goes into a store.

    Attributes:
        name: Unique in the store.
        patient: All scans of a patient have the same.
        site: Where the scan was made.
        image: (Z, H, W) in HU or display values, already at the store's size.
        label: Class, None when unknown.
        lung: (Z, H, W) mask or None.
        infection: (Z, H, W) mask or None; known to be empty for NP and CAP.
        source_slices: Position of each slice in the input; default 0 to Z - 1.
        planes: Which planes of ``grid`` the slices are; default all in order.
        grid: Where the slices lie in the upright input.
        spacing_mm: (z, y, x) of the stored slices.
        affine: 4x4 of the input.
        original_shape: Of the input.
        source: Name of the input file or folder.
        sha256: Of the input files.
        notes: What was decided on the way.
        key: What the case depends on, for ``StoreWriter.keep_case``.
    """

    name: str
    patient: str
    site: str
    image: np.ndarray
    label: int | None = None
    lung: np.ndarray | None = None
    infection: np.ndarray | None = None
    source_slices: Sequence[int] | np.ndarray | None = None
    planes: Sequence[int] | np.ndarray | None = None
    grid: SliceGrid | None = None
    spacing_mm: Sequence[float] | np.ndarray | None = None
    affine: np.ndarray | None = None
    original_shape: Sequence[int] | None = None
    source: str = ''
    sha256: Sequence[str] = ()
    notes: Sequence[str] = ()
    key: str = ''


class StoreWriter:
    """Write a new slice store; readers see it once ``close`` has written the manifest.

    Args:
        root: Folder to make; a store that is already there is replaced when this one is closed.
        size: (H, W) of every slice.
        intensity: 'hu' for int16 Hounsfield units, 'display' for uint8 window values.
        parameters: How the slices were made, kept in the manifest.

    Raises:
        StoreError: For another ``intensity``.
    """

    def __init__(
        self, root: str | Path, size: Sequence[int], intensity: str, parameters: dict[str, Any]
    ) -> None:
        if intensity not in ('hu', 'display'):
            raise StoreError(
                f'intensity {intensity!r}',
                "choose 'hu' or 'display'",
            )
        self.root = Path(root)
        self.size = (int(size[0]), int(size[1]))
        self.intensity = intensity
        self.parameters = parameters
        self._cases: list[dict[str, Any]] = []
        self._index: list[np.ndarray] = []
        self._names: set[str] = set()
        self._slices = 0
        (self.root / 'manifest.json').unlink(missing_ok=True)
        (self.root / 'cases').mkdir(parents=True, exist_ok=True)

    def add_case(self, case: StoreCase) -> None:
        """Store one case; on disk it appears with a single rename.

        Raises:
            StoreError: For a name given twice or unfit as a folder, a shape that differs, values
                that are not finite, or an image without any contrast.
        """
        self._check(case.name, case.image, case.lung, case.infection)
        record = _record(case)
        rows = _rows(case)
        arrays = dict(image=self._as_stored(case.image), rows=rows)
        for column, mask in (('lung', case.lung), ('infection', case.infection)):
            if mask is not None:
                arrays[column] = (mask > 0).astype(np.uint8)
        write_case(self.root / 'cases' / case.name, arrays, record, case.key)
        self._append(record, rows)

    def keep_case(self, name: str, key: str) -> bool:
        """Take over a case that an earlier, unfinished run left here, if it has the same key."""
        self._check_name(name)
        found = stored_case(self.root / 'cases' / name, key)
        if found is None:
            return False
        self._append(*found)
        return True

    def _append(self, record: dict[str, Any], rows: np.ndarray) -> None:
        rows['case'] = len(self._cases)
        self._cases.append({**record, 'first_row': self._slices})
        self._index.append(rows)
        self._names.add(record['name'])
        self._slices += len(rows)

    def close(self) -> None:
        """Write index and manifest; from here on the store exists.

        Raises:
            StoreError: If no case was added.
        """
        if not self._cases:
            raise StoreError(
                f'{self.root}: no case was added, so there is no store to write',
                'add cases to the table',
            )
        self._drop_orphans()
        sha256 = write_tables(self.root, np.concatenate(self._index), self._cases)
        manifest = dict(
            format=FORMAT,
            version=VERSION,
            size=self.size,
            intensity=self.intensity,
            classes=list(CLASSES),
            parameters=self.parameters,
            cases=len(self._cases),
            slices=self._slices,
            sha256=sha256,
        )
        write_text(self.root / 'manifest.json', json.dumps(manifest, indent=1))

    def _drop_orphans(self) -> None:
        """Remove cases of an earlier store in this folder, and nothing that is no case."""
        for folder in (self.root / 'cases').iterdir():
            if folder.name.startswith(PARTIAL):
                shutil.rmtree(folder)
            elif (folder / 'image.npy').is_file() and folder.name not in self._names:
                remove_folder(folder)

    def _check(
        self, name: str, image: np.ndarray, lung: np.ndarray | None, infection: np.ndarray | None
    ) -> None:
        self._check_name(name)
        if image.ndim != 3 or image.shape[1:] != self.size:
            raise StoreError(
                f'case {name!r}: image {image.shape}, store size (Z, {self.size})',
                'resample it to the size of the store',
            )
        for what, mask in (('lung', lung), ('infection', infection)):
            if mask is not None and mask.shape != image.shape:
                raise StoreError(
                    f'case {name!r}: {what} mask is {mask.shape}, image is {image.shape}',
                    'give a mask on the grid of the image',
                )
        if not np.isfinite(image).all():
            raise StoreError(
                f'case {name!r}: image holds NaN or infinity',
                'repair the input',
            )
        if image.min() == image.max():
            raise StoreError(
                f'case {name!r}: every pixel is {image.min()}, the input is empty',
                'export it again',
            )

    def _check_name(self, name: str) -> None:
        if not name or Path(name).name != name or name.startswith('.'):
            raise StoreError(
                f'case name {name!r} is unfit for a folder',
                'use letters, digits, - _ .',
            )
        if name in self._names:
            raise StoreError(
                f'case {name!r} is given twice',
                'case names must be unique',
            )

    def _as_stored(self, image: np.ndarray) -> np.ndarray:
        dtype: type = np.int16 if self.intensity == 'hu' else np.uint8
        limits = np.iinfo(dtype)
        return np.rint(image).clip(limits.min, limits.max).astype(dtype)


def _state(label: int | None, infection: np.ndarray | None) -> int:
    if infection is not None:
        return STORED
    return UNKNOWN if label in (None, COVID) else EMPTY


def _rows(case: StoreCase) -> np.ndarray:
    """The case's stretch of the index."""
    rows = np.zeros(len(case.image), INDEX_DTYPE)
    everyone = np.arange(len(case.image))
    rows['slice'] = everyone
    rows['source_slice'] = everyone if case.source_slices is None else case.source_slices
    rows['plane'] = everyone if case.planes is None else case.planes
    rows['label'] = -1 if case.label is None else case.label
    rows['infection'] = _state(case.label, case.infection)
    rows['infection_px'] = 0 if case.infection is None else (case.infection > 0).sum((1, 2))
    rows['lung_px'] = -1 if case.lung is None else (case.lung > 0).sum((1, 2))
    return rows


def _record(case: StoreCase) -> dict[str, Any]:
    """What ``cases.jsonl`` says of the case."""
    spacing, affine = case.spacing_mm, case.affine
    return dict(
        name=case.name,
        patient=case.patient,
        site=case.site,
        label=case.label,
        folder=f'cases/{case.name}',
        rows=len(case.image),
        has_lung=case.lung is not None,
        has_infection=case.infection is not None,
        spacing_mm=None if spacing is None else [float(mm) for mm in spacing],
        affine=None if affine is None else np.asarray(affine, float).tolist(),
        original_shape=[int(n) for n in case.original_shape or case.image.shape],
        grid=None if case.grid is None else asdict(case.grid),
        source=case.source,
        sha256=list(case.sha256),
        notes=list(case.notes),
    )
