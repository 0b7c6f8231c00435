"""Read a slice store: memory-mapped slices and an index table with a row per slice."""

import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...utils.errors import StoreError
from ...utils.files import read_json
from ...utils.locks import lock_owner
from ..slicing.windowing import apply_window
from .records import STARTS, Case, CaseRecords, load_array
from .schema import EMPTY, FORMAT, INDEX, LOCK, ROLES, STORED, VERSION

OPEN_ARRAYS = 256
"""How many arrays stay memory-mapped; opening one takes as long as reading a slice."""


class SliceStore:
    """A slice store, opened to read. Opening takes as long for a thousand slices as for a million.

    Args:
        root: Folder with ``manifest.json``.

    Attributes:
        root: The folder.
        manifest: Format, version, parameters and hashes.
        size: (H, W) of every slice.
        intensity: 'hu' or 'display'.
        cases: The records of the cases, in order.
        index: ``INDEX_DTYPE`` (N,), a row per slice, memory-mapped.

    Raises:
        StoreError: If there is no store, it has another version, or it is incomplete.
    """

    def __init__(self, root: str | Path) -> None:
        self.root, self._opened_at = Path(root), time.time()
        self.manifest = _read_manifest(self.root)
        self.size: tuple[int, int] = tuple(self.manifest['size'])
        self.intensity: str = self.manifest['intensity']
        self.cases = CaseRecords(self.root)
        self.index = load_array(self.root / INDEX)
        self._opened = lru_cache(OPEN_ARRAYS)(self._open)
        self._check_length(INDEX, 'slices', len(self.index))
        self._check_length(STARTS, 'cases', len(self.cases))

    def __reduce__(self) -> tuple[type['SliceStore'], tuple[Path]]:
        """Pickle the path only: another process opens the store itself."""
        return SliceStore, (self.root,)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def is_phantom(self) -> bool:
        """Whether the store is made of phantoms, so that figures on it are phantom figures."""
        return self.manifest['parameters'].get('kind') == 'phantom'

    def case_of(self, row: int) -> Case:
        """The case of a row of the index."""
        return self.cases[self.index['case'][row]]

    def image(self, row: int) -> np.ndarray:
        """Slice (H, W) as stored: int16 HU or uint8 display values."""
        return self._slice(row, 'image')

    def lung(self, row: int) -> np.ndarray | None:
        """Lung mask bool (H, W); None where the case has none."""
        return self._slice(row, 'lung').astype(bool) if self.case_of(row).has_lung else None

    def infection(self, row: int) -> np.ndarray | None:
        """Infection mask uint8 (H, W); zeros if the class rules it out, None if it is unknown."""
        state = self.index['infection'][row]
        if state == EMPTY:
            return np.zeros(self.size, np.uint8)
        return self._slice(row, 'infection') if state == STORED else None

    def cause(self, row: int) -> np.ndarray | None:
        """What makes the slice's case its class, bool (H, W); None where the case has no mask."""
        return self._slice(row, 'cause').astype(bool) if self.case_of(row).has_cause else None

    def display(self, row: int, window: tuple[float, float] = (-1250, 250)) -> np.ndarray:
        """Slice float32 (H, W) in [0, 1]: HU through a window (HU), or display values over 255."""
        if self.intensity == 'display':
            return self.image(row).astype(np.float32) / 255
        return apply_window(self.image(row), window)

    def roles(self, split: str) -> np.ndarray:
        """Role of each row of the index, uint8 (N,), as positions in ``ROLES``.

        Raises:
            StoreError: If there is no such split, or it was made for another index.
        """
        path = self.root / 'splits' / f'{split}.npy'
        if not path.is_file():
            known = sorted(p.stem for p in (self.root / 'splits').glob('*.npy'))
            raise StoreError(
                f'{self.root} has no split {split!r}, it has {known}',
                f'make one with `xaicovid prepare split {self.root} --name {split}`',
            )
        roles = load_array(path)
        if len(roles) != len(self.index):
            raise StoreError(
                f'{path} holds {len(roles)} rows, the index {len(self.index)}',
                'make the split again',
            )
        return roles

    def rows(self, split: str, role: str) -> np.ndarray:
        """Rows of the index that have a role, int64, ascending.

        Raises:
            StoreError: For an unknown split or role.
        """
        if role not in ROLES:
            raise StoreError(f'role {role!r} does not exist', f'choose one of {ROLES[1:]}')
        return np.flatnonzero(self.roles(split) == ROLES.index(role))

    def _check_length(self, name: str, unit: str, length: int) -> None:
        if length != self.manifest[unit]:
            raise StoreError(
                f'{self.root}: {name} has {length} {unit}, manifest.json {self.manifest[unit]}',
                'prepare the store again',
            )

    def _open(self, path: Path) -> np.ndarray:
        """Map an array that is still the one of the index.

        Raises:
            StoreError: If it is not, because the store was made again since it was opened.
        """
        with suppress(FileNotFoundError, StoreError):  # it may go between the look and the read
            if path.stat().st_mtime <= self._opened_at:
                return load_array(path)
        writer = lock_owner(self.root / LOCK)
        if writer or path.is_file():
            raise StoreError(
                f'{self.root} is made again by {writer or "another process"} while it is read: '
                f'{path} is not what it was',
                'wait until it is complete, then start again',
            )
        return load_array(path)  # which says what is wrong with it

    def _slice(self, row: int, name: str) -> np.ndarray:
        entry = self.index[row]
        folder = self.root / self.cases[entry['case']].folder
        return np.array(self._opened(folder / f'{name}.npy')[entry['slice']])


def _read_manifest(root: Path) -> dict:
    path = root / 'manifest.json'
    if not path.is_file():
        if writer := lock_owner(root / LOCK):
            raise StoreError(f'{root} is being made by {writer}', 'wait until it is complete')
        start = '' if root.is_absolute() else f' (looked for in {Path.cwd()})'
        raise StoreError(
            f'{root}{start} is no slice store, it has no manifest.json',
            'make one with `xaicovid prepare` (phantom, volumes or images), or name '
            'another with XAICOVID_STORE',
        )
    manifest = read_json(path, 'prepare the store again', StoreError)
    stored_format, version = manifest.get('format'), manifest.get('version')
    if (stored_format, version) != (FORMAT, VERSION):
        raise StoreError(
            f'{path} is format {stored_format!r} version {version!r}, this release reads '
            f'{FORMAT!r} version {VERSION}',
            'prepare the store again',
        )
    return manifest
