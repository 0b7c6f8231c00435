"""Find the body in a scan: neither table nor blankets, nor what a file puts around the scan."""

import math

import cc3d
import cv2
import numpy as np

MAX_AIR_HU = -320
"""Voxels below this are air: outer air, lung, or gas in the bowel."""
CELL_MM = 4
"""The outline of the body is found on cells of about this size."""
MARGIN_MM = 10
"""How far the body may reach beyond its outline: where the wall of the chest is thin."""
MIN_WITHIN = 0.8
"""Share of a cavity within the outline; where the wall is thin, the outline cuts off some lung."""
MIN_SOLIDITY = 0.9
"""Area of a field of view over that of its convex hull; circles and rectangles have 1."""
MIN_FIELD = 0.1
"""Share of a slice that a field of view takes."""


def inside_body(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Find the body with its cavities. Not in the paper.

    The body is the largest part of soft tissue that is thicker than a table top or a blanket. A
    cavity is air that tissue encloses in a slice, so an airway that is open to the room opens no
    lung, and that lies within the convex outline of the body, so the inside of a table is none. A
    lung that a side of the field of view cuts is outside.

    Args:
        hu: (Z, Y, X), upright.
        spacing_mm: (z, y, x).

    Returns:
        bool (Z, Y, X).
    """
    tissue = (hu >= MAX_AIR_HU) & ~_fill(hu)
    outline = _outline(tissue, spacing_mm)
    enclosed = np.stack([enclosed_air(plane) for plane in tissue.view(np.uint8)])
    body = tissue & outline
    if enclosed.any():
        box = bounding_box(enclosed)
        parts = cc3d.connected_components(enclosed[box], connectivity=6)
        sizes, inside = _sizes(parts), _sizes(np.where(outline[box], parts, 0))
        within = np.zeros(len(sizes), bool)
        within[1 : len(inside)] = inside[1:] >= MIN_WITHIN * sizes[1 : len(inside)]
        body[box] |= within[parts]
    return body


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around a mask (Z, Y, X) that is not empty."""
    ends = [np.flatnonzero(mask.any(axes))[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(int(first), int(last) + 1) for first, last in ends)


def enclosed_air(tissue: np.ndarray) -> np.ndarray:
    """What tissue, uint8 (Y, X) of 0 and 1, encloses in a slice: what no way outside reaches."""
    reached = np.pad(tissue, 1)
    cv2.floodFill(reached, None, (0, 0), 2)
    return reached[1:-1, 1:-1] == 0


def _sizes(parts: np.ndarray) -> np.ndarray:
    """The number of voxels of each part, int64; that of the background comes first."""
    return cc3d.statistics(parts)['voxel_counts'].astype(np.int64)


def _fill(hu: np.ndarray) -> np.ndarray:
    """What a file puts beyond the field of view and counts as tissue, bool (Z, Y, X).

    That is a value from a corner of the slice inwards, all around a convex field of view, or a
    whole slice of one value.
    """
    outside = np.zeros(hu.shape, bool)
    for plane, filled in zip(hu, outside, strict=True):
        corners = plane[[0, 0, -1, -1], [0, -1, 0, -1]]
        for value in np.unique(corners[corners >= MAX_AIR_HU]):
            _, parts = cv2.connectedComponents((plane == value).astype(np.uint8), connectivity=4)
            at_corner = np.unique(parts[[0, 0, -1, -1], [0, -1, 0, -1]])
            filled |= np.isin(parts, at_corner[at_corner > 0])
        if filled.any() and not filled.all() and not _is_field(~filled):
            filled[:] = False
    return outside


def _is_field(plane: np.ndarray) -> bool:
    area = np.count_nonzero(plane)
    hull = np.count_nonzero(_hull(plane.astype(np.uint8)))
    return area > MIN_FIELD * plane.size and area > MIN_SOLIDITY * hull


def _outline(tissue: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The convex outline of the body in each slice with a margin, bool (Z, Y, X)."""
    step, *cells = (max(round(CELL_MM / mm), 1) for mm in spacing_mm)
    height, width = tissue.shape[1:]
    size = (math.ceil(width / cells[1]), math.ceil(height / cells[0]))
    square = np.ones((3, 3), np.uint8)
    shares = [
        cv2.resize(plane.view(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        for plane in tissue[::step]
    ]
    thick = [cv2.erode((share > 127).astype(np.uint8), square) for share in shares]
    core = cc3d.largest_k(np.stack(thick), k=1, connectivity=6).astype(np.uint8)
    reach = 1 + math.ceil(MARGIN_MM / CELL_MM)
    margin = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    outlines = [
        cv2.resize(
            cv2.dilate(_hull(plane), margin), (width, height), interpolation=cv2.INTER_NEAREST
        )
        for plane in core
    ]
    return np.stack(outlines).view(bool)[np.arange(len(tissue)) // step]


def _hull(plane: np.ndarray) -> np.ndarray:
    """The convex hull of a mask uint8 (H, W), as 0 and 1."""
    hull = np.zeros(plane.shape, np.uint8)
    points = cv2.findNonZero(plane)
    if points is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull
