"""``ValueCounts``: the different values of a scan. A scan has few, so what follows is quick."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_TABLE = 2**16
"""The widest range of whole numbers that are counted in a table; others are sorted."""


@dataclass(frozen=True)
class ValueCounts:
    """The different values of a sample and how often each occurs.

    Attributes:
        levels: The values, ascending, in their own type.
        counts: int64, as long.
    """

    levels: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> 'ValueCounts':
        """Count values of any shape, of which there is at least one."""
        if values.dtype.kind not in 'iu' or int(values.max()) - int(values.min()) > MAX_TABLE:
            return cls(*np.unique(values, return_counts=True))
        low = int(values.min())
        counts = np.zeros(int(values.max()) - low + 1, np.int64)
        for plane in values:  # plane by plane: each is copied as int64
            counts += np.bincount(np.ravel(plane).astype(np.int64) - low, minlength=len(counts))
        found = np.flatnonzero(counts)
        return cls((low + found).astype(values.dtype), counts[found])

    def where(self, kept: np.ndarray) -> 'ValueCounts':
        """Those of the levels that a bool array of the same length marks."""
        return ValueCounts(self.levels[kept], self.counts[kept])

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def share(self, marked: np.ndarray) -> float:
        """Share of the values that a bool array, one for each level, marks."""
        return int(self.counts[marked].sum()) / self.total

    def mean_and_deviation(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        mean = float(np.average(self.levels, weights=self.counts))
        squares = (self.levels.astype(float) - mean) ** 2
        return mean, float(np.sqrt(np.average(squares, weights=self.counts)))

    def percentiles(self, percents: Sequence[float]) -> list[float]:
        """Percentiles, linear between two values, as ``np.percentile`` gives them."""
        ends, last = np.cumsum(self.counts), self.total - 1
        place = np.array(percents) / 100 * last
        low = np.floor(place).astype(int)
        below, above = (
            self.levels[np.searchsorted(ends, n, side='right')].astype(float)
            for n in (low, np.minimum(low + 1, last))
        )
        return (below + (above - below) * (place - low)).tolist()

    def histogram(
        self, bins: int, limits: tuple[float, float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Counts and edges of bins of equal width, as ``np.histogram`` gives them."""
        return np.histogram(self.levels, bins, limits, weights=self.counts)
