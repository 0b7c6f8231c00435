"""What volumes and image files share on their way into a store: keys, workers, taking over."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...utils.files import file_sha256
from ...utils.parallel import parallel_map
from ..io.scan import scan_sha256
from ..load_case import FILES
from ..store.case_folder import stored_case
from ..store.schema import VERSION
from ..store.writer import StoreCase, StoreWriter

Row = dict[str, str]
Rows = Sequence[Row]


@dataclass(frozen=True)
class FinishedCase:
    """A case that an earlier run left in the store, made of the same files in the same way."""

    name: str
    key: str


@dataclass(frozen=True)
class CaseBuilder(ABC):
    """Turn the rows of one case into what the store keeps; works in any process.

    Attributes:
        base: Folder that the paths of the table start from.
        root: Of the store.
    """

    base: Path
    root: Path

    def __call__(self, rows: Rows) -> StoreCase | FinishedCase:
        """Build a case, or say that it lies there finished."""
        rows = self.order(rows)
        name = rows[0]['case']
        files = [self.base / row[column] for row in rows for column in FILES if row[column]]
        sha256 = [scan_sha256(path) if path.is_dir() else file_sha256(path) for path in files]
        key = self._key(rows, sha256)
        if stored_case(self.root / 'cases' / name, key):
            return FinishedCase(name, key)
        return self.build(rows, sha256, key)

    def order(self, rows: Rows) -> Rows:
        """The rows of a case in the order of its slices."""
        return rows

    @abstractmethod
    def build(self, rows: Rows, sha256: list[str], key: str) -> StoreCase:
        """Read and cut a case; errors name the case or its file."""

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """All settings that decide what ``build`` makes, as plain data."""

    def _key(self, rows: Rows, sha256: list[str]) -> str:
        """Changes with the rows, the files or the settings that a case is made of."""
        texts = [[value for column, value in row.items() if column not in FILES] for row in rows]
        given = [[bool(row[column]) for column in FILES] for row in rows]
        everything = [VERSION, texts, given, sha256, self.recipe()]
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def build_store(
    writer: StoreWriter,
    builder: CaseBuilder,
    cases: Sequence[Rows],
    progress: Callable[[Sequence[Rows]], Iterable[Rows]],
    workers: int,
) -> None:
    """Build every case in worker processes and write it; the store is the same for any number.

    Args:
        writer: Of the new store; it is closed at the end.
        builder: Makes a case of its rows.
        cases: The rows of each case.
        progress: Wraps the cases, to show a bar.
        workers: Processes.
    """
    with parallel_map(builder, cases, workers) as built:
        for _, case in zip(progress(cases), built, strict=True):
            if isinstance(case, StoreCase):
                writer.add_case(case)
            else:
                writer.keep_case(case.name, case.key)
    writer.close()
