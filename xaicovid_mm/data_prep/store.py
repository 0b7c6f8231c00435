"""The slice store, read side: memory-mapped slices behind one index table."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

FORMAT = 'xaicovid_mm slice store'
VERSION = 2
CLASSES = ('NP', 'CAP', 'COVID-19')
ROLES = ('none', 'labelled', 'unlabelled', 'val', 'test')
INDEX_DTYPE = np.dtype(
    [
        ('case', 'i4'),  # position in the manifest's cases
        ('slice', 'i4'),  # position in the stored case
        ('source_slice', 'i4'),  # nearest position in the upright input volume, or in the folder
        ('plane', 'i4'),  # position among the planes of the case's grid
        ('label', 'i1'),  # -1 unknown
        ('infection', 'i1'),  # UNKNOWN, STORED or EMPTY
        ('infection_px', 'i4'),
        ('lung_px', 'i4'),  # -1 without a lung mask
    ]
)
UNKNOWN, STORED, EMPTY = 0, 1, 2


class StoreError(ValueError):
    """A slice store, or something that should go into one, is not as it must be."""


@dataclass(frozen=True)
class Case:
    """One case of the manifest.

    Attributes:
        name, patient, site: Names without any identity from a header.
        label: Class, or None when unknown.
        folder: Below the store's root.
        first_row, rows: Its stretch of the index.
        has_lung, has_infection: Whether the mask arrays are stored.
        spacing_mm: (z, y, x) of the stored slices, or None where the input had none.
        affine: 4x4 of the input, or None.
        original_shape: Of the input.
        grid: Where the slices lie in the upright input, as of ``SliceGrid``; None without one.
        source: File or folder name of the input.
        sha256: Of the input files, in the order image, infection, lung.
        notes: What was decided or repaired on the way in.
    """

    name: str
    patient: str
    site: str
    label: int | None
    folder: str
    first_row: int
    rows: int
    has_lung: bool
    has_infection: bool
    spacing_mm: list[float] | None
    affine: list[list[float]] | None
    original_shape: list[int]
    grid: dict | None
    source: str
    sha256: list[str]
    notes: list[str]


class SliceStore:
    """Open a slice store; costs the same for a thousand slices and for a million.

    Args:
        root: Folder with ``manifest.json``.

    Raises:
        StoreError: If there is no store, its version is another, or it is incomplete.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.manifest = _read_manifest(self.root)
        self.size: tuple[int, int] = tuple(self.manifest['size'])
        self.intensity: str = self.manifest['intensity']
        names = {field.name for field in fields(Case)}
        self.cases = [
            Case(**{k: v for k, v in record.items() if k in names})
            for record in self.manifest['cases']
        ]
        self.index = _load(self.root / 'index.npy')
        if len(self.index) != sum(case.rows for case in self.cases):
            raise StoreError(
                f'{self.root}: index.npy has {len(self.index)} slices, manifest.json '
                f'{sum(case.rows for case in self.cases)}: prepare the store again'
            )

    def __len__(self) -> int:
        return len(self.index)

    def case_of(self, row: int) -> Case:
        """The case that a row of the index belongs to."""
        return self.cases[self.index['case'][row]]

    def image(self, row: int) -> np.ndarray:
        """Slice (H, W) as stored: int16 HU or uint8 display values."""
        return self._slice(row, 'image')

    def lung(self, row: int) -> np.ndarray | None:
        """Lung mask bool (H, W); None where the case has none."""
        return self._slice(row, 'lung').astype(bool) if self.case_of(row).has_lung else None

    def infection(self, row: int) -> np.ndarray | None:
        """Infection mask uint8 (H, W); zeros where the class excludes it, None where unknown."""
        state = self.index['infection'][row]
        if state == EMPTY:
            return np.zeros(self.size, np.uint8)
        return self._slice(row, 'infection') if state == STORED else None

    def display(self, row: int, window: tuple[float, float] = (-1250, 250)) -> np.ndarray:
        """Slice float32 (H, W) in [0, 1]: HU through the window, display values over 255."""
        image = self.image(row).astype(np.float32)
        if self.intensity == 'display':
            return image / 255
        low, high = window
        return ((image - low) / (high - low)).clip(0, 1)

    def roles(self, split: str) -> np.ndarray:
        """Role of each row, uint8, positions in ``ROLES``.

        Raises:
            StoreError: If there is no such split, or it was made for other rows.
        """
        path = self.root / 'splits' / f'{split}.npy'
        if not path.is_file():
            known = sorted(p.stem for p in (self.root / 'splits').glob('*.npy'))
            raise StoreError(
                f'{self.root} has no split {split!r}, it has {known}: make one with '
                f'`tools/prepare_data.py split {self.root} --name {split}`'
            )
        roles = _load(path)
        if len(roles) != len(self.index):
            raise StoreError(
                f'{path} holds {len(roles)} rows, the index {len(self.index)}: make the split again'
            )
        return roles

    def rows(self, split: str, role: str) -> np.ndarray:
        """Rows of a role, int64, ascending.

        Raises:
            StoreError: For an unknown split or role.
        """
        if role not in ROLES:
            raise StoreError(f'role {role!r} does not exist: choose of {ROLES[1:]}')
        return np.flatnonzero(self.roles(split) == ROLES.index(role))

    def _slice(self, row: int, name: str) -> np.ndarray:
        entry = self.index[row]
        folder = self.root / self.cases[entry['case']].folder
        return np.array(_load(folder / f'{name}.npy')[entry['slice']])


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f'{path} cannot be read ({error}): prepare the store again') from error


def _read_manifest(root: Path) -> dict:
    path = root / 'manifest.json'
    if not path.is_file():
        raise StoreError(
            f'{root} is no slice store, it has no manifest.json: make one with '
            '`tools/prepare_data.py` (phantom, volumes or images), or name another with '
            'XAICOVID_STORE'
        )
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise StoreError(f'{path} is no JSON ({error}): prepare the store again') from error
    found = manifest.get('format'), manifest.get('version')
    if found != (FORMAT, VERSION):
        raise StoreError(
            f'{path} is format {found[0]!r} version {found[1]!r}, this release reads {FORMAT!r} '
            f'version {VERSION}: prepare the store again'
        )
    return manifest
