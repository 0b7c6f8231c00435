"""The records of a store's cases, each read when it is asked for."""

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


class CaseRecords:
    """The cases of a store in order; costs the same to open for ten and for ten thousand.

    Args:
        root: Folder with ``cases.jsonl``, a record a line, and ``cases.npy``, where each line
            starts and the last one ends.

    Raises:
        StoreError: If one of them is missing, or cut off.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / RECORDS
        self._starts = load_array(root / STARTS)
        self._last: tuple[int, Case] | None = None  # image and masks of a slice ask for one case
        if not self._path.is_file() or self._path.stat().st_size != self._starts[-1]:
            raise StoreError(
                f'{self._path} is not of {self._starts[-1]} bytes',
                'prepare it again',
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
    """A .npy file, memory-mapped.

    Raises:
        StoreError: If it is missing or damaged.
    """
    try:
        return np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(
            f'{path} cannot be read ({error})',
            'prepare the store again',
        ) from error


def _case(line: bytes) -> Case:
    return Case(**json.loads(line))
