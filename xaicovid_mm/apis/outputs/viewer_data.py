"""What the viewer of a report shows: the scan at its own resolution, masks and maps on it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ...data_prep.slicing.slices import CaseSlices
from ...data_prep.volume import Volume
from ..scan_slices import planes_of_slices, slice_heights_mm
from ..slice_predictor import INFECTION_SALIENCY, SlicePredictions, shown_maps
from .scan_pictures import HU_KNOTS, body_box, grey_of_hu, jpegs, mask_pngs

MAP_LAYERS = (
    dict(name='prob', title='infection probability'),
    dict(name='caam', title='CAAM'),
    dict(name='cam', title='CAM'),
    dict(name='saliency', title='saliency'),
    dict(name=INFECTION_SALIENCY, title='saliency of the infection'),
)
"""Maps with their titles; the last is there on request."""
CLASS_COLOURS = ((111, 138, 163), (52, 120, 246), (230, 159, 0))
"""Red, green and blue of NP, CAP and COVID-19. Red alone is the infection."""
LUNG, INFECTION = 100, 200
"""Grey values of the mask picture."""
SCAN_BYTES, MAP_BYTES = 9_000_000, 3_500_000
"""Bytes of all slices, and of all maps together, in base64. A page has less than 15 MB."""
MAX_VOXELS = 80_000_000
"""A browser keeps two bytes for each; a larger scan is shown at half of its resolution."""


@dataclass(frozen=True, kw_only=True)
class ShownScan:
    """A scan with what was found in it.

    Attributes:
        scan: The scan (Z, Y, X) in HU.
        lung: bool (Z, Y, X).
        infection: bool (Z, Y, X), upright.
        slices: The N slices of the model.
        predicted: Predictions and maps of the N slices.
    """

    scan: Volume
    lung: np.ndarray
    infection: np.ndarray
    slices: CaseSlices
    predicted: SlicePredictions


def viewer_data(shown: ShownScan, prediction: dict[str, Any]) -> dict[str, Any]:
    """Return the pictures and figures for the script of the page, ready for JSON.

    Lists over Z go from foot to head. Pictures are base64, an empty text where all is 0.

    Args:
        shown: The scan with what was found in it.
        prediction: Content of ``prediction.json``.

    Returns:
        ``shape`` (Z, H, W) and ``spacing`` (z, y, x; mm) of the shown voxels; ``reduced``, how many
        pixels of the scan are one shown pixel along a side; ``ct``, ``masks`` (``LUNG`` and
        ``INFECTION``), ``mm`` (height of a slice), ``cm2`` (its infected area) and ``plane`` (its
        slice of the model, or -1), each (Z,); ``maps`` with their N pictures, ``box``, where these
        lie (left, top, width, height in shown pixels); ``scores`` (N, C); ``classes``
        with their colours; ``first``, the slice to open, and ``row``, its row with the most
        infection, or the middle one.
    """
    scan = shown.scan
    rows, columns = body_box(scan.data, shown.lung, scan.spacing_mm)
    size = len(scan.data) * (rows.stop - rows.start) * (columns.stop - columns.start)
    reduced = 1 if size <= MAX_VOXELS else 2
    rows, columns = (slice(s.start, s.stop - (s.stop - s.start) % reduced) for s in (rows, columns))
    box = (slice(None), rows, columns)
    grey = [_smaller(grey_of_hu(plane), reduced) for plane in scan.data[box]]
    masks = LUNG * shown.lung[box].view(np.uint8)
    masks[shown.infection[box]] = INFECTION
    cm2 = shown.infection.sum((1, 2)) * np.prod(scan.spacing_mm[1:]) / 100
    first = first_slice(cm2, prediction)
    infected_rows = (masks[first, ::reduced] == INFECTION).sum(1)
    z, y, x = scan.spacing_mm
    return dict(
        shape=[len(grey), *grey[0].shape],
        spacing=[z, y * reduced, x * reduced],
        reduced=reduced,
        knots=HU_KNOTS,
        ct=jpegs(grey, SCAN_BYTES),
        masks=mask_pngs(masks[:, ::reduced, ::reduced]),
        mask_values=dict(lung=LUNG, infection=INFECTION),
        mm=slice_heights_mm(scan).round(1).tolist(),
        cm2=cm2.round(2).tolist(),
        plane=planes_of_slices(shown.slices, len(grey)).tolist(),
        maps=_maps(shown.predicted),
        box=_map_box(shown.slices, rows.start, columns.start, reduced),
        scores=[[*entry['probabilities'].values()] for entry in prediction['slices']],
        classes=class_colours(prediction),
        first=first,
        row=int(infected_rows.argmax()) if infected_rows.any() else len(infected_rows) // 2,
    )


def class_colours(prediction: dict[str, Any]) -> list[dict[str, Any]]:
    """Name and colour of each class of a prediction. Further classes have the last colour."""
    names = prediction['patient']['probabilities']
    last = len(CLASS_COLOURS) - 1
    return [dict(name=name, rgb=CLASS_COLOURS[min(k, last)]) for k, name in enumerate(names)]


def first_slice(cm2: np.ndarray, prediction: dict[str, Any]) -> int:
    """The slice with the largest infection; without any, the middle one of those with lung."""
    if cm2.any():
        return int(cm2.argmax())
    with_lung = sorted(int(entry['source_slice']) for entry in prediction['slices'])
    return with_lung[len(with_lung) // 2]


def _maps(predicted: SlicePredictions) -> list[dict[str, Any]]:
    prob = (255 * predicted.prob.astype(np.float32)).round().astype(np.uint8)
    stacks, share = dict(prob=prob) | shown_maps(predicted), MAP_BYTES // len(MAP_LAYERS)
    return [
        dict(layer, planes=jpegs(stacks[layer['name']], share))
        for layer in MAP_LAYERS
        if layer['name'] in stacks
    ]


def _map_box(slices: CaseSlices, top: int, left: int, reduced: int) -> list[float]:
    """Where the slices of the model lie: left, top, width and height in shown pixels."""
    grid = slices.grid
    corners = [o + 0.5 - s / 2 for s, o in zip(grid.scale, grid.offset, strict=True)]
    sides = [s * n for s, n in zip(grid.scale, grid.shape, strict=True)]
    numbers = (corners[2] - left, corners[1] - top, sides[2], sides[1])
    return [round(number / reduced, 3) for number in numbers]


def _smaller(plane: np.ndarray, reduced: int) -> np.ndarray:
    if reduced == 1:
        return plane
    size = (plane.shape[1] // reduced, plane.shape[0] // reduced)
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
