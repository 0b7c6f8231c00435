"""How much of a mask lies in the air around the body."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ..body import inside_body

OUTER_HU = -930
"""Air around the body is below; lung at the edge of a small field of view is above."""
MAX_OUTER_SHARE = 0.05
"""Share of a mask that may lie in the air around the body."""

OuterShare = Callable[[np.ndarray], float]
"""Maps a mask, bool (Z, Y, X), to its share in the air around the body, see ``OuterAir``."""


class OuterAir:
    """The air around the body of a scan in HU. It is looked for only if a mask holds enough air.

    Args:
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).
    """

    def __init__(self, hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> None:
        self.hu, self.spacing_mm = hu, spacing_mm

    def __call__(self, mask: np.ndarray) -> float:
        """Share of a mask, bool (Z, Y, X), in that air; 0 if it is at most ``MAX_OUTER_SHARE``."""
        is_air = self.hu[mask] < OUTER_HU
        if is_air.mean() <= MAX_OUTER_SHARE:
            return 0.0
        share = float((is_air & ~self._body[mask]).mean())
        return share if share > MAX_OUTER_SHARE else 0.0

    @cached_property
    def _body(self) -> np.ndarray:
        return inside_body(self.hu, self.spacing_mm)
