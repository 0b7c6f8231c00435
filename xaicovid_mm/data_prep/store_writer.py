"""The slice store, write side: a case is there whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .store import EMPTY, FORMAT, INDEX_DTYPE, STORED, UNKNOWN, VERSION, StoreError

COVID = 2


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
        spacing_mm: Sequence[float] | None = None,
        affine: np.ndarray | None = None,
        original_shape: Sequence[int] | None = None,
        source: str = '',
        sha256: Sequence[str] = (),
        notes: Sequence[str] = (),
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
            spacing_mm: (z, y, x) of the stored slices.
            affine: 4x4 of the input.
            original_shape: Of the input.
            source: Name of the input file or folder.
            sha256: Of the input files.
            notes: What was decided on the way.

        Raises:
            StoreError: For a name given twice or unfit as a folder, a shape that differs, values
                that are not finite, or an image without any contrast.
        """
        self._check(name, image, lung, infection)
        folder = Path('cases') / name
        self._write_arrays(folder, image, lung, infection)
        rows = np.zeros(len(image), INDEX_DTYPE)
        rows['case'] = len(self._cases)
        rows['slice'] = np.arange(len(image))
        rows['source_slice'] = np.arange(len(image)) if source_slices is None else source_slices
        rows['label'] = -1 if label is None else label
        rows['infection'] = _state(label, infection)
        rows['infection_px'] = 0 if infection is None else (infection > 0).sum((1, 2))
        rows['lung_px'] = -1 if lung is None else (lung > 0).sum((1, 2))
        self._cases.append(
            dict(
                name=name,
                patient=patient,
                site=site,
                label=label,
                folder=folder.as_posix(),
                first_row=sum(map(len, self._index)),
                rows=len(image),
                has_lung=lung is not None,
                has_infection=infection is not None,
                spacing_mm=None if spacing_mm is None else [float(s) for s in spacing_mm],
                affine=None if affine is None else np.asarray(affine, float).tolist(),
                original_shape=[int(n) for n in original_shape or image.shape],
                source=source,
                sha256=list(sha256),
                notes=list(notes),
            )
        )
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
        write_array(self.root / 'index.npy', np.concatenate(self._index))
        manifest = dict(
            format=FORMAT,
            version=VERSION,
            size=self.size,
            intensity=self.intensity,
            classes=['NP', 'CAP', 'COVID-19'],
            parameters=self.parameters,
            cases=self._cases,
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
        if not name or Path(name).name != name or name.startswith('.'):
            raise StoreError(
                f'case name {name!r} is unfit for a folder: use letters, digits, - _ .'
            )
        if any(case['name'] == name for case in self._cases):
            raise StoreError(f'case {name!r} is given twice: case names must be unique')
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

    def _write_arrays(
        self,
        folder: Path,
        image: np.ndarray,
        lung: np.ndarray | None,
        infection: np.ndarray | None,
    ) -> None:
        final, partial = self.root / folder, self.root / 'cases' / f'.{folder.name}.partial'
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        dtype, low, high = (
            (np.int16, -32768, 32767) if self.intensity == 'hu' else (np.uint8, 0, 255)
        )
        np.save(partial / 'image.npy', np.rint(image).clip(low, high).astype(dtype))
        for what, mask in (('lung', lung), ('infection', infection)):
            if mask is not None:
                np.save(partial / f'{what}.npy', (mask > 0).astype(np.uint8))
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file that is there whole or not at all."""
    partial = path.with_name(f'.{path.name}.partial')
    with open(partial, 'wb') as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file that is there whole or not at all."""
    partial = path.with_name(f'.{path.name}.partial')
    with open(partial, 'w', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open(path, 'rb') as file:
        return (
            hashlib.file_digest(file, 'sha256').hexdigest()
            if hasattr(hashlib, 'file_digest')
            else hashlib.sha256(file.read()).hexdigest()
        )


def _state(label: int | None, infection: np.ndarray | None) -> int:
    if infection is not None:
        return STORED
    return UNKNOWN if label in (None, COVID) else EMPTY
