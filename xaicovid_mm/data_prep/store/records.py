"""Read the records of a store's cases, each only when it is needed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...utils.errors import StoreError

RECORDS, STARTS = 'cases.jsonl', 'cases.npy'


@dataclass(frozen=True)
class Case:
    """One case of a store.

    Attributes:
        name: Name of the case, from the table.
        patient: Name of the patient, from the table, never from a header.
        site: Name of the site, from the table.
        label: Class; None if unknown.
        folder: Its folder below the store's root.
        first_row: Its first row in the index.
        rows: Number of its rows in the index, one per slice.
        has_lung: Whether a lung mask is stored.
        has_infection: Whether an infection mask is stored.
        spacing_mm: (z, y, x) of the stored slices; None if the input had no spacing.
        affine: 4x4 of the input; None if it had none.
        original_shape: Shape of the input.
        grid: The fields of a ``SliceGrid``: where the slices lie in the upright input; or None.
        sha256: Hashes of the input files, in the order image, infection, lung, cause.
        notes: What was decided or changed while the case was prepared.
        has_cause: Whether a mask of what makes the case its class is stored.
        source: In older stores the name of the input, which may name a patient; empty else.
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
    sha256: list[str]
    notes: list[str]
    has_cause: bool = False
    source: str = ''


class CaseRecords:
    """The cases of a store, in order. Opening takes as long for ten as for ten thousand.

    Args:
        root: Folder with ``cases.jsonl``, a record a line, and ``cases.npy``, the byte offsets
            where the lines start and the last one ends.

    Raises:
        StoreError: If one of the files is missing or cut off.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / RECORDS
        self._starts = load_array(root / STARTS)
        self._last: tuple[int, Case] | None = None  # image and masks of a slice need the same
        size = self._path.stat().st_size if self._path.is_file() else 'no'
        if size != self._starts[-1]:
            raise StoreError(
                f'{self._path} has {size} bytes, {self._starts[-1]} expected',
                'prepare the store again',
            )

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> Case:
        number = range(len(self))[number]
        last = self._last
        if last is None or last[0] != number:
            self._last = last = number, self._read(number)
        return last[1]

    def _read(self, number: int) -> Case:
        start, end = self._starts[number : number + 2]
        with open(self._path, 'rb') as file:
            file.seek(start)
            return _case(file.read(end - start))

    def __iter__(self) -> Iterator[Case]:
        with open(self._path, 'rb') as file:
            yield from map(_case, file)


def load_array(path: Path) -> np.ndarray:
    """Open a .npy file, memory-mapped.

    Raises:
        StoreError: If it is missing or damaged.
    """
    try:
        return np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f'{path} cannot be read ({error})', 'prepare the store again') from error


def _case(line: bytes) -> Case:
    try:
        return Case(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise StoreError(
            f'{RECORDS} is damaged, or the store was made again while it was read: {error}',
            'start again',
        ) from error
