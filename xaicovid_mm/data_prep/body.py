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
CHUNK = 4
"""Slices whose voxels are counted at a time."""


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
    tissue = _tissue(hu)
    outlines, every = _outlines(tissue, spacing_mm)
    nearest = np.arange(len(hu)) // every
    enclosed = enclosed_air(tissue)
    body = tissue
    for plane, number in zip(body, nearest, strict=True):
        plane &= outlines[number]
    if enclosed.any():
        box = bounding_box(enclosed)
        parts, count = cc3d.connected_components(enclosed[box], connectivity=6, return_N=True)
        planes, rows, columns = box
        within = _within(parts, count, outlines[:, rows, columns], nearest[planes])
        for plane, numbers in zip(body[box], parts, strict=True):
            plane |= within[numbers]
    return body


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box around a mask (Z, Y, X) that is not empty."""
    ends = [np.flatnonzero(mask.any(axes))[[0, -1]] for axes in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(int(first), int(last) + 1) for first, last in ends)


def enclosed_air(tissue: np.ndarray) -> np.ndarray:
    """What tissue, bool (Z, Y, X), encloses in a slice: what no way outside reaches, bool."""
    enclosed = np.empty(tissue.shape, bool)
    for plane, air in zip(tissue.view(np.uint8), enclosed, strict=True):
        reached = cv2.copyMakeBorder(plane, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        cv2.floodFill(reached, None, (0, 0), 2)
        np.equal(reached[1:-1, 1:-1], 0, out=air)
    return enclosed


def _within(parts: np.ndarray, count: int, outlines: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Tell which parts lie within the outline.

    Args:
        parts: Number of the part of each voxel (Z, Y, X), 0 for none.
        count: Number of parts.
        outlines: bool (N, Y, X).
        nearest: (Z,), which of the outlines a slice has.

    Returns:
        bool (count + 1,).
    """
    sizes, outside = np.zeros((2, count + 1), np.int64)
    for start in range(0, len(parts), CHUNK):  # bincount makes int64 of the numbers
        chunk = slice(start, start + CHUNK)
        sizes += np.bincount(parts[chunk].ravel(), minlength=count + 1)
        beyond = parts[chunk][~outlines[nearest[chunk]]]
        outside += np.bincount(beyond, minlength=count + 1)
    within = sizes - outside >= MIN_WITHIN * sizes
    within[0] = False
    return within


def _tissue(hu: np.ndarray) -> np.ndarray:
    """What is no air in a scan (Z, Y, X), without what its file puts around it, bool."""
    tissue = np.empty(hu.shape, bool)
    for plane, dense in zip(hu, tissue, strict=True):
        np.greater_equal(plane, MAX_AIR_HU, out=dense)
        dense &= ~_fill(plane)
    return tissue


def _fill(plane: np.ndarray) -> np.ndarray:
    """What a file puts beyond the field of view and counts as tissue, bool (Y, X).

    That is a value from a corner of the slice inwards, all around a convex field of view, or a
    whole slice of one value.
    """
    filled = np.zeros(plane.shape, bool)
    corners = plane[[0, 0, -1, -1], [0, -1, 0, -1]]
    for value in np.unique(corners[corners >= MAX_AIR_HU]):
        _, parts = cv2.connectedComponents((plane == value).astype(np.uint8), connectivity=4)
        at_corner = np.unique(parts[[0, 0, -1, -1], [0, -1, 0, -1]])
        filled |= np.isin(parts, at_corner[at_corner > 0])
    if filled.any() and not filled.all() and not _is_field(~filled):
        filled[:] = False
    return filled


def _is_field(plane: np.ndarray) -> bool:
    area = np.count_nonzero(plane)
    hull = np.count_nonzero(_hull(plane.astype(np.uint8)))
    return area > MIN_FIELD * plane.size and area > MIN_SOLIDITY * hull


def _outlines(tissue: np.ndarray, spacing_mm: tuple[float, float, float]) -> tuple[np.ndarray, int]:
    """The convex outline of the body with a margin, of every so many slices.

    Args:
        tissue: bool (Z, Y, X).
        spacing_mm: (z, y, x).

    Returns:
        bool (N, Y, X), and the number of slices that an outline stands for.
    """
    every, *cells = (max(round(CELL_MM / mm), 1) for mm in spacing_mm)
    height, width = tissue.shape[1:]
    size = (math.ceil(width / cells[1]), math.ceil(height / cells[0]))
    square = np.ones((3, 3), np.uint8)
    shares = [
        cv2.resize(plane.view(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        for plane in tissue[::every]
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
    return np.stack(outlines).view(bool), every


def _hull(plane: np.ndarray) -> np.ndarray:
    """The convex hull of a mask uint8 (H, W), as 0 and 1."""
    hull = np.zeros(plane.shape, np.uint8)
    outer, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if outer:
        cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(outer)), 1)
    return hull
