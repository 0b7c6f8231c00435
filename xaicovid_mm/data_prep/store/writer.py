"""Write a slice store. A case in it is complete or does not exist."""

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...classes import CLASSES
from ...utils.errors import StoreError
from ...utils.files import PARTIAL, remove_folder, write_text
from ...utils.locks import locked
from .case_folder import stored_case, write_case
from .index import write_tables
from .schema import FORMAT, LOCK, VERSION
from .store_case import StoreCase, check_name

__all__ = ['StoreCase', 'StoreWriter']

DTYPES: dict[str, type[np.integer]] = {'hu': np.int16, 'display': np.uint8}
"""Type of the stored slices by intensity."""


class StoreWriter:
    """Write a slice store. Readers can open it once ``close`` has written the manifest.

    The store is locked from the start until ``close``, ``release`` or the end of the process.

    Args:
        root: Folder to make. A store that is already there cannot be opened from now on; ``close``
            removes its other cases.
        size: (H, W) of every slice.
        intensity: 'hu' for int16 Hounsfield units, 'display' for uint8 display values.
        parameters: How the slices were made; the manifest keeps it.

    Raises:
        StoreError: For another ``intensity``.
        LockedError: If another process writes this store.
    """

    def __init__(
        self, root: str | Path, size: Sequence[int], intensity: str, parameters: dict[str, Any]
    ) -> None:
        if intensity not in DTYPES:
            raise StoreError(
                f'intensity is {intensity!r}, one of {tuple(DTYPES)} expected', 'choose one of them'
            )
        self.root = Path(root)
        self.size = (int(size[0]), int(size[1]))
        self.intensity = intensity
        self.parameters = parameters
        self._records: list[dict[str, Any]] = []
        self._index: list[np.ndarray] = []
        self._names: set[str] = set()
        self._slices = 0
        self._lock = ExitStack()
        self._lock.enter_context(locked(self.root / LOCK, f'writing the store {self.root}'))
        (self.root / 'manifest.json').unlink(missing_ok=True)
        (self.root / 'cases').mkdir(parents=True, exist_ok=True)

    def add_case(self, case: StoreCase) -> None:
        """Store a case. Its folder appears whole or not at all.

        Raises:
            StoreError: If the store already has a case of this name, or see ``StoreCase.check``.
        """
        self._check_new(case.name)
        case.check(self.size)
        arrays, record = case.arrays(DTYPES[self.intensity]), case.record()
        write_case(self.root / 'cases' / case.name, arrays, record, case.key)
        self._append(record, arrays['rows'])

    def keep_case(self, name: str, key: str) -> bool:
        """Keep a case that an earlier run wrote, if it is complete and has the same key.

        Returns:
            Whether it was kept; if not, it has to be added.

        Raises:
            StoreError: If the store already has a case of this name, or the name is unfit.
        """
        self._check_new(name)
        stored = stored_case(self.root / 'cases' / name, key)
        if stored is None:
            return False
        self._append(*stored)
        return True

    def close(self) -> None:
        """Write the index and the manifest; from then on the store can be opened.

        Raises:
            StoreError: If no case was added.
        """
        if not self._records:
            raise StoreError(
                f'{self.root}: no case was added, so there is no store to write',
                'add cases to the table',
            )
        self._remove_other_cases()
        sha256 = write_tables(self.root, np.concatenate(self._index), self._records)
        manifest = dict(
            format=FORMAT,
            version=VERSION,
            size=self.size,
            intensity=self.intensity,
            classes=list(CLASSES),
            parameters=self.parameters,
            cases=len(self._records),
            slices=self._slices,
            sha256=sha256,
        )
        write_text(self.root / 'manifest.json', json.dumps(manifest, indent=1))
        self.release()

    def release(self) -> None:
        """Let go of the lock, also of a store that is not complete."""
        self._lock.close()

    def _append(self, record: dict[str, Any], rows: np.ndarray) -> None:
        rows['case'] = len(self._records)
        self._records.append({**record, 'first_row': self._slices})
        self._index.append(rows)
        self._names.add(record['name'])
        self._slices += len(rows)

    def _remove_other_cases(self) -> None:
        """Remove cases of an older store in this folder, and nothing that is not a case."""
        for folder in (self.root / 'cases').iterdir():
            if folder.name.startswith(PARTIAL):
                shutil.rmtree(folder)
            elif (folder / 'image.npy').is_file() and folder.name not in self._names:
                remove_folder(folder)

    def _check_new(self, name: str) -> None:
        check_name(name)
        if name in self._names:
            raise StoreError(
                f'{self.root}: case {name!r} is given twice', 'give each case a name of its own'
            )
