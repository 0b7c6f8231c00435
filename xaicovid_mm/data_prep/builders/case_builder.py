"""Build the cases of a store in worker processes; what an earlier run finished is kept."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ...utils.parallel import parallel_map
from ..case_table import Row
from ..io.scan import scan_sha256
from ..load_case import FILES
from ..store.case_folder import stored_case
from ..store.schema import VERSION
from ..store.writer import StoreCase, StoreWriter

Rows = Sequence[Row]
MaskValues: TypeAlias = Mapping[str, Sequence[int]]
"""Values that count in a mask that is a label map, by column."""
Progress = Callable[[Sequence[Rows]], Iterable[Rows]]
"""Wraps the cases, each given by its rows, for instance to show a progress bar."""


@dataclass(frozen=True)
class FinishedCase:
    """A case that an earlier run wrote, from the same files with the same settings."""

    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class CaseBuilder(ABC):
    """Make a ``StoreCase`` of the table rows of a case. It works in any process.

    Attributes:
        base: Folder that the paths of the table start from.
        root: Folder of the store.
        mask_values: Values that count in a mask, by column; absent for a mask of 0 and 1.
    """

    base: Path
    root: Path
    mask_values: MaskValues

    def __call__(self, rows: Rows) -> StoreCase | FinishedCase:
        """Build a case, unless it is in the store already.

        Raises:
            DataError: If its rows or files are wrong. The case or the file is named.
        """
        rows = self.order(rows)
        name = rows[0]['case']
        files = [self.base / row[k] for row in rows for k in FILES if row.get(k)]
        sha256 = [scan_sha256(path) for path in files]
        key = self._key(rows, sha256)
        if stored_case(self.root / 'cases' / name, key):
            return FinishedCase(name, key)
        return self.build(rows, sha256, key)

    def order(self, rows: Rows) -> Rows:
        """Sort the rows of a case by slice."""
        return rows

    @abstractmethod
    def build(self, rows: Rows, sha256: list[str], key: str) -> StoreCase:
        """Read a case and cut it into slices.

        Args:
            rows: Its rows, sorted.
            sha256: Hashes of its files, row by row; in a row in the order of ``FILES``.
            key: For ``StoreCase.key``.
        """

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """All settings that the result of ``build`` depends on, ready for JSON."""

    def _key(self, rows: Rows, sha256: list[str]) -> str:
        """A hash of the rows, the files and the settings that a case is made of."""
        cells = [[cell for column, cell in row.items() if column not in FILES] for row in rows]
        has_file = [[bool(row[column]) for column in FILES if column in row] for row in rows]
        everything = [VERSION, cells, has_file, sha256, self.recipe()]
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def build_store(
    writer: StoreWriter,
    builder: CaseBuilder,
    cases: Sequence[Rows],
    *,
    progress: Progress,
    workers: int,
) -> None:
    """Build every case and write it. The store is the same for any number of workers.

    Args:
        writer: Writer of the new store; it is closed at the end.
        builder: Makes a case of its rows.
        cases: The rows of each case.
        progress: Wraps the cases.
        workers: Number of processes that build.
    """
    try:
        with parallel_map(builder, cases, workers) as results:
            for _, result in zip(progress(cases), results, strict=True):
                if isinstance(result, StoreCase):
                    writer.add_case(result)
                else:
                    writer.keep_case(result.name, result.key)
        writer.close()
    finally:
        writer.release()
