"""The slice store, write side: a case is there whole or not at all."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .case_records import RECORDS, STARTS, write_records
from .files import file_sha256, write_array, write_text
from .slice_grid import SliceGrid
from .store import CLASSES, EMPTY, FORMAT, INDEX, INDEX_DTYPE, STORED, UNKNOWN, VERSION, StoreError

COVID = 2
CASE_FILE, ROWS_FILE = 'case.json', 'rows.npy'


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
            raise StoreError(f"intensity {intensity!r}: choose 'hu' or 'display'")
        self.root = Path(root)
        self.size = (int(size[0]), int(size[1]))
        self.intensity = intensity
        self.parameters = parameters
        self._cases: list[dict[str, Any]] = []
        self._index: list[np.ndarray] = []
        (self.root / 'manifest.json').unlink(missing_ok=True)
        (self.root / 'cases').mkdir(parents=True, exist_ok=True)

    def add_case(
        self,
        name: str,
        patient: str,
        site: str,
        image: np.ndarray,
        label: int | None = None,
        lung: np.ndarray | None = None,
        infection: np.ndarray | None = None,
        source_slices: Sequence[int] | np.ndarray | None = None,
        planes: Sequence[int] | np.ndarray | None = None,
        grid: SliceGrid | None = None,
        spacing_mm: Sequence[float] | None = None,
        affine: np.ndarray | None = None,
        original_shape: Sequence[int] | None = None,
        source: str = '',
        sha256: Sequence[str] = (),
        notes: Sequence[str] = (),
        key: str = '',
    ) -> None:
        """Store one case; on disk it appears with a single rename.

        Args:
            name: Unique in the store.
            patient: Who must not be split.
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
            key: What the case depends on, for ``keep_case``.

        Raises:
            StoreError: For a name given twice or unfit as a folder, a shape that differs, values
                that are not finite, or an image without any contrast.
        """
        self._check(name, image, lung, infection)
        rows = np.zeros(len(image), INDEX_DTYPE)
        rows['slice'] = np.arange(len(image))
        rows['source_slice'] = np.arange(len(image)) if source_slices is None else source_slices
        rows['plane'] = np.arange(len(image)) if planes is None else planes
        rows['label'] = -1 if label is None else label
        rows['infection'] = _state(label, infection)
        rows['infection_px'] = 0 if infection is None else (infection > 0).sum((1, 2))
        rows['lung_px'] = -1 if lung is None else (lung > 0).sum((1, 2))
        record = dict(
            name=name,
            patient=patient,
            site=site,
            label=label,
            folder=f'cases/{name}',
            rows=len(image),
            has_lung=lung is not None,
            has_infection=infection is not None,
            spacing_mm=None if spacing_mm is None else [float(s) for s in spacing_mm],
            affine=None if affine is None else np.asarray(affine, float).tolist(),
            original_shape=[int(n) for n in original_shape or image.shape],
            grid=None if grid is None else asdict(grid),
            source=source,
            sha256=list(sha256),
            notes=list(notes),
        )
        self._write(record, key, rows, image, lung, infection)
        self._append(record, rows)

    def keep_case(self, name: str, key: str) -> bool:
        """Take over a case that an earlier, unfinished run left here, if it has the same key."""
        folder = self.root / 'cases' / name
        if stored_key(self.root, name) != key:
            return False
        record = json.loads((folder / CASE_FILE).read_text(encoding='utf-8'))['record']
        self._check_name(name)
        self._append(record, np.load(folder / ROWS_FILE, allow_pickle=False))
        return True

    def _append(self, record: dict[str, Any], rows: np.ndarray) -> None:
        first = sum(map(len, self._index))
        rows['case'] = len(self._cases)
        self._cases.append({**record, 'first_row': first})
        self._index.append(rows)

    def close(self) -> None:
        """Write index and manifest; from here on the store exists.

        Raises:
            StoreError: If no case was added.
        """
        if not self._cases:
            raise StoreError(f'{self.root}: no case was added, so there is no store to write')
        shutil.rmtree(self.root / 'splits', ignore_errors=True)
        self._drop_orphans()
        index = np.concatenate(self._index)
        records, starts = write_records(self._cases)
        write_array(self.root / INDEX, index)
        write_text(self.root / RECORDS, records)
        write_array(self.root / STARTS, starts)
        manifest = dict(
            format=FORMAT,
            version=VERSION,
            size=self.size,
            intensity=self.intensity,
            classes=list(CLASSES),
            parameters=self.parameters,
            cases=len(self._cases),
            slices=len(index),
            sha256={name: file_sha256(self.root / name) for name in (INDEX, RECORDS)},
        )
        write_text(self.root / 'manifest.json', json.dumps(manifest, indent=1))

    def _drop_orphans(self) -> None:
        """Remove cases of an earlier store in this folder, and nothing that is no case."""
        mine = {case['name'] for case in self._cases}
        for folder in (self.root / 'cases').iterdir():
            is_case = (folder / 'image.npy').is_file() or folder.name.endswith('.partial')
            if is_case and folder.name not in mine:
                shutil.rmtree(folder)

    def _check(
        self, name: str, image: np.ndarray, lung: np.ndarray | None, infection: np.ndarray | None
    ) -> None:
        self._check_name(name)
        if image.ndim != 3 or image.shape[1:] != self.size:
            raise StoreError(f'case {name!r}: image {image.shape}, store size (Z, {self.size})')
        for what, mask in (('lung', lung), ('infection', infection)):
            if mask is not None and mask.shape != image.shape:
                raise StoreError(
                    f'case {name!r}: {what} mask is {mask.shape}, image is {image.shape}: give a '
                    'mask on the grid of the image'
                )
        if not np.isfinite(image).all():
            raise StoreError(f'case {name!r}: image holds NaN or infinity: repair the input')
        if image.min() == image.max():
            raise StoreError(f'case {name!r}: every pixel is {image.min()}: the input is empty')

    def _check_name(self, name: str) -> None:
        if not name or Path(name).name != name or name.startswith('.'):
            raise StoreError(
                f'case name {name!r} is unfit for a folder: use letters, digits, - _ .'
            )
        if any(case['name'] == name for case in self._cases):
            raise StoreError(f'case {name!r} is given twice: case names must be unique')

    def _write(
        self,
        record: dict[str, Any],
        key: str,
        rows: np.ndarray,
        image: np.ndarray,
        lung: np.ndarray | None,
        infection: np.ndarray | None,
    ) -> None:
        name = record['name']
        final, partial = self.root / 'cases' / name, self.root / 'cases' / f'.{name}.partial'
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        dtype, low, high = (
            (np.int16, -32768, 32767) if self.intensity == 'hu' else (np.uint8, 0, 255)
        )
        np.save(partial / 'image.npy', np.rint(image).clip(low, high).astype(dtype))
        for what, mask in (('lung', lung), ('infection', infection)):
            if mask is not None:
                np.save(partial / f'{what}.npy', (mask > 0).astype(np.uint8))
        write_array(partial / ROWS_FILE, rows)
        write_text(partial / CASE_FILE, json.dumps(dict(key=key, record=record), indent=1))
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)


def stored_key(root: str | Path, name: str) -> str | None:
    """The key of a case that lies finished in a store's folder; None if there is none."""
    path = Path(root, 'cases', name, CASE_FILE)
    if not path.is_file():
        return None
    key: str = json.loads(path.read_text(encoding='utf-8'))['key']
    return key or None


def _state(label: int | None, infection: np.ndarray | None) -> int:
    if infection is not None:
        return STORED
    return UNKNOWN if label in (None, COVID) else EMPTY
