"""The slices of a scan as small pictures for a page: JPEG for grey values, PNG for masks."""

import base64
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ...data_prep.body import inside_body

HU_KNOTS = ((-1100, 0), (-250, 112), (350, 242), (1500, 255))
"""HU and its grey value; straight lines between. Lung has steps of 8 HU, soft tissue of 5 HU."""
QUALITIES = (88, 80, 70, 60, 45, 30)
"""JPEG qualities that are tried, the best first."""
SAMPLE = 8
"""Number of slices on which a quality is tried."""
MARGIN_MM = 10
"""How far the shown box reaches beyond the body."""
COARSE_MM = 4
"""The body is looked for in voxels of about this size."""


def body_box(
    hu: np.ndarray, lung: np.ndarray, spacing_mm: tuple[float, float, float]
) -> tuple[slice, slice]:
    """Find the box around body and lungs, the same for all slices.

    Args:
        hu: (Z, Y, X), upright.
        lung: bool (Z, Y, X).
        spacing_mm: (z, y, x).

    Returns:
        Rows and columns. All of them, if no body is found.
    """
    step = [max(round(COARSE_MM / mm), 1) for mm in spacing_mm]
    z, y, x = spacing_mm
    body = inside_body(
        np.ascontiguousarray(hu[:: step[0], :: step[1], :: step[2]]),
        (z * step[0], y * step[1], x * step[2]),
    )
    return (
        _span(body.any((0, 2)), lung.any((0, 2)), step[1], y),
        _span(body.any((0, 1)), lung.any((0, 1)), step[2], x),
    )


def grey_of_hu(hu: np.ndarray) -> np.ndarray:
    """HU of any shape as uint8, along ``HU_KNOTS``."""
    values, greys = zip(*HU_KNOTS, strict=True)
    low, high = values[0], values[-1]
    table = np.rint(np.interp(np.arange(low, high + 1), values, greys)).astype(np.uint8)
    whole = hu if np.issubdtype(hu.dtype, np.integer) else np.rint(hu)
    return table[whole.clip(low, high).astype(np.int16) - np.int16(low)]


def jpegs(planes: Sequence[np.ndarray], budget: int) -> list[str]:
    """Encode planes uint8 (H, W) as JPEG in base64, as well as a number of bytes allows.

    A plane of zeros becomes an empty text. The lowest quality is taken even if it is too large.

    Args:
        planes: The planes.
        budget: Bytes of all planes together, in base64.
    """
    shown = [k for k, plane in enumerate(planes) if plane.any()]
    sample = shown[:: max(len(shown) // SAMPLE, 1)]
    for quality in QUALITIES:
        size = sum(len(_jpeg(planes[k], quality)) for k in sample)
        if size * len(shown) <= budget * len(sample):
            break
    return [_jpeg(plane, quality) if plane.any() else '' for plane in planes]


def mask_pngs(planes: Iterable[np.ndarray]) -> list[str]:
    """Encode planes uint8 (H, W) of few values as PNG in base64; zeros as an empty text."""
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 3]
    return [_encoded('.png', plane, fast) if plane.any() else '' for plane in planes]


def _jpeg(plane: np.ndarray, quality: int) -> str:
    return _encoded(
        '.jpg', plane, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    )


def _encoded(kind: str, plane: np.ndarray, settings: list[int]) -> str:
    return base64.b64encode(cv2.imencode(kind, plane, settings)[1].tobytes()).decode()


def _span(body: np.ndarray, lung: np.ndarray, step: int, mm: float) -> slice:
    """From the first to the last place with body (every ``step``th place) or lung."""
    places = np.concatenate([np.flatnonzero(body) * step, np.flatnonzero(lung)])
    if not len(places):
        return slice(0, len(lung))
    margin = round(MARGIN_MM / mm) + step
    return slice(max(int(places.min()) - margin, 0), min(int(places.max()) + margin, len(lung)))
