"""Make small images of a scan's middle slices, to embed in a page."""

from dataclasses import dataclass

import cv2
import numpy as np

from ...utils.html import png_base64
from ..slicing.windowing import apply_window

LUNG_WINDOW = (-1350.0, 150.0)
SIDE = 128
"""Longer side in pixels."""


@dataclass(frozen=True)
class Thumbnail:
    """A small image.

    Attributes:
        png: PNG in base64.
        width: In pixels.
        height: In pixels.
        title: What the image shows.
    """

    png: str
    width: int
    height: int
    title: str


def thumbnails(
    data: np.ndarray, spacing_mm: tuple[float, float, float], window: tuple[float, float]
) -> list[Thumbnail]:
    """Show the middle axial and the middle coronal slice, in true proportions.

    Args:
        data: (Z, Y, X), upright.
        spacing_mm: (z, y, x).
        window: The values that become black and white.
    """
    z, y, x = spacing_mm
    depth, rows, _ = data.shape
    levels = f'{window[0]:.6g} to {window[1]:.6g}'
    return [
        _thumbnail(data[depth // 2], (y, x), window, f'middle axial slice, {levels}'),
        _thumbnail(data[::-1, rows // 2], (z, x), window, f'middle coronal slice, {levels}'),
    ]


def own_window(data: np.ndarray) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of a scan (Z, Y, X) that is not in HU."""
    low, high = np.percentile(data[:: max(len(data) // 20, 1)], (0.5, 99.5)).tolist()
    return low, max(high, low + 1e-6)


def _thumbnail(
    plane: np.ndarray, spacing: tuple[float, float], window: tuple[float, float], title: str
) -> Thumbnail:
    grey = (255 * apply_window(plane, window)).astype(np.uint8)
    mm = np.multiply(plane.shape, spacing)
    height, width = (max(round(side * SIDE / mm.max()), 1) for side in mm.tolist())
    return Thumbnail(png_base64(_resized(grey, height, width)), width, height, title)


def _resized(grey: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average uint8 (H, W) along a side that shrinks, interpolate along one that grows.

    So thick slices are no blocks in a coronal picture, as in the report.
    """
    rows, columns = grey.shape
    smaller = (min(width, columns), min(height, rows))
    averaged = cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA)
    return cv2.resize(averaged, (width, height), interpolation=cv2.INTER_LINEAR)
