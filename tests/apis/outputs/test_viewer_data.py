"""What the viewer of a report gets: the scan's pixels, masks and maps where they lie in it."""

import base64
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv

from xaicovid_mm.apis.outputs import viewer_data as viewer
from xaicovid_mm.apis.outputs.scan_pictures import HU_KNOTS, body_box, grey_of_hu, jpegs
from xaicovid_mm.apis.outputs.viewer_data import (
    INFECTION,
    LUNG,
    MAP_BYTES,
    SCAN_BYTES,
    ShownScan,
    viewer_data,
)
from xaicovid_mm.apis.scan_slices import planes_of_slices, slice_heights_mm
from xaicovid_mm.data_prep.orientation import from_upright
from xaicovid_mm.data_prep.slicing.slices import OUTSIDE_HU, SliceSpec, extract_slices
from xaicovid_mm.data_prep.volume import upright


def picture(text):
    raw = np.frombuffer(base64.b64decode(text), np.uint8)
    return cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)


def turned(degrees, axes):
    """A rotation about the axis that is not in ``axes``."""
    turn, angle = np.eye(4), np.radians(degrees)
    a, b = axes
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    return turn


AFFINES = {
    'upright': np.diag([-2.8, -2.8, 8.0, 1.0]),
    'flipped': np.diag([2.8, 2.8, -8.0, 1.0]),
    'oblique': turned(20, (1, 2)) @ turned(10, (0, 1)) @ np.diag([-2.8, 2.8, 8.0, 1.0]),
    'sagittal': np.diag([-2.8, -2.8, 8.0, 1.0])[:, [1, 2, 0, 3]],
}


@pytest.fixture(params=AFFINES)
def shown(request, chest):
    """The chest in a file with another affine; the maps of the model are its own infection."""
    affine = AFFINES[request.param]
    scan = upright(from_upright(chest.hu, affine), affine)
    spec = SliceSpec(size=64, crop_lung=0.05, min_lung_px=20)
    slices = extract_slices(scan, chest.lung, chest.infection, spec=spec, outside=OUTSIDE_HU)
    soft = slices.grid.cut(chest.infection)[slices.planes]
    maps = (255 * soft).astype(np.uint8)
    predicted = SimpleNamespace(
        prob=soft.astype(np.float16), caam=maps, cam=maps, saliency=np.zeros_like(maps),
        infection_saliency=None,
    )  # fmt: skip
    return ShownScan(
        scan=scan,
        lung=chest.lung,
        infection=chest.infection,
        slices=slices,
        predicted=predicted,
    )


@pytest.fixture
def prediction(shown):
    entries = [
        dict(
            probabilities={'NP': 0.2, 'CAP': 0.2, 'COVID-19': 0.6},
            source_slice=int(source),
        )
        for source in shown.slices.source_slices
    ]
    patient = dict(label='COVID-19', probabilities=entries[0]['probabilities'])
    return dict(slices=entries, patient=patient)


def test_slices_and_masks_are_those_of_the_scan_pixel_by_pixel(shown, prediction, chest):
    data = viewer_data(shown, prediction)
    rows, columns = body_box(shown.scan.data, shown.lung, shown.scan.spacing_mm)
    depth, *sides = data['shape']
    assert depth == len(chest.hu) and data['reduced'] == 1
    assert sides == [rows.stop - rows.start, columns.stop - columns.start]
    z = data['first']
    assert z == chest.infection.sum((1, 2)).argmax()
    assert data['cm2'][z] == pytest.approx(chest.infection[z].sum() * 2.8**2 / 100, rel=0.1)
    grey = grey_of_hu(chest.hu[z, rows, columns])
    gap = np.abs(picture(data['ct'][z]).astype(int) - grey)
    assert gap.mean() < 4 and np.percentile(gap, 99) < 20  # of 255, by JPEG
    infected = chest.infection[z, rows, columns]
    assert infected[data['row']].sum() == infected.sum(1).max() > 0
    mask = picture(data['masks'][z])
    np.testing.assert_array_equal(mask == INFECTION, chest.infection[z, rows, columns])
    np.testing.assert_array_equal(mask >= LUNG, chest.lung[z, rows, columns])


def test_a_map_lies_in_the_scan_where_the_model_saw_it(shown, prediction, chest):
    data = viewer_data(shown, prediction)
    z = data['first']
    prob = picture(data['maps'][0]['planes'][data['plane'][z]])
    left, top, width, height = data['box']
    pixels = np.argwhere(prob > 127) + 0.5  # middles, from the edge of the picture
    found = pixels.mean(0) * [height / prob.shape[0], width / prob.shape[1]] + [top, left]
    rows, columns = body_box(shown.scan.data, shown.lung, shown.scan.spacing_mm)
    expected = np.argwhere(chest.infection[z, rows, columns]).mean(0) + 0.5
    np.testing.assert_allclose(found, expected, atol=0.7)


def test_heights_are_those_of_the_scanner(shown):
    heights, affine = slice_heights_mm(shown.scan), shown.scan.affine
    assert (np.diff(heights) > 0).all()  # foot to head
    middle = affine @ [*(np.array(shown.scan.original_shape) - 1) / 2, 1]
    assert heights.mean() == pytest.approx(middle[2])


def test_slices_that_show_no_lung_have_no_plane(shown):
    planes = planes_of_slices(shown.slices, len(shown.scan.data))
    assert sorted(set(planes) - {-1}) == list(range(len(shown.slices.planes)))
    np.testing.assert_array_equal(np.flatnonzero(planes >= 0), shown.slices.source_slices)


def test_the_most_infected_slice_opens_and_without_infection_the_middle_of_the_lungs(prediction):
    prediction['slices'] = [dict(source_slice=z) for z in (30, 29, 10, 11, 12)]  # in any order
    assert viewer.first_slice(np.zeros(40), prediction) == 12
    assert viewer.first_slice(np.eye(40)[7], prediction) == 7


def test_a_scan_that_is_too_large_for_a_browser_is_shown_at_half_and_says_so(
    shown, prediction, monkeypatch
):
    whole = viewer_data(shown, prediction)
    monkeypatch.setattr(viewer, 'MAX_VOXELS', 1000)
    half = viewer_data(shown, prediction)
    assert half['reduced'] == 2 and half['spacing'][0] == whole['spacing'][0]
    assert half['spacing'][1:] == [2 * mm for mm in whole['spacing'][1:]]
    assert half['box'] == pytest.approx([side / 2 for side in whole['box']], abs=1e-3)
    assert picture(half['ct'][half['first']]).shape == tuple(half['shape'][1:])


def test_grey_values_come_back_as_hu():
    hu = np.arange(-1100, 1501)
    values, greys = zip(*HU_KNOTS, strict=True)
    back = np.interp(grey_of_hu(hu), greys, values)
    assert np.abs(back - hu)[hu <= -250].max() <= 3.9
    assert np.abs(back - hu)[(hu >= -250) & (hu <= 350)].max() <= 2.4
    assert grey_of_hu(np.array([-3000.0, 9000.0])).tolist() == [0, 255]


def test_slices_turned_grey_one_by_one_are_those_of_the_scan_turned_at_once(
    shown, prediction, monkeypatch
):
    encoded = []
    monkeypatch.setattr(viewer, 'jpegs', lambda planes, budget: encoded.append(planes) or [])
    viewer_data(shown, prediction)
    rows, columns = body_box(shown.scan.data, shown.lung, shown.scan.spacing_mm)
    at_once = grey_of_hu(shown.scan.data[:, rows, columns])
    np.testing.assert_array_equal(np.stack(encoded[0]), at_once)


def test_pictures_keep_to_a_number_of_bytes():
    planes = np.random.default_rng(0).integers(0, 255, (6, 64, 64), dtype=np.uint8)
    sizes = [sum(map(len, jpegs([*planes], budget))) for budget in (10**6, 20_000, 1)]
    assert sizes[0] > sizes[1] > sizes[2] and sizes[1] <= 20_000
    assert jpegs([np.zeros((4, 4), np.uint8)], 100) == ['']


def test_a_page_of_three_hundred_noisy_slices_has_less_than_15_mb():
    """Noise of 60 HU without grain is the worst case: real slices are smaller."""
    hu = np.random.default_rng(0).normal(-600, 60, (512, 400))
    (text,) = jpegs([grey_of_hu(hu)], budget=1)
    assert 300 * len(text) < SCAN_BYTES and SCAN_BYTES + MAP_BYTES < 13_000_000


def test_the_box_takes_the_whole_field_where_no_body_is(shown):
    air = replace(shown.scan, data=np.full((8, 20, 30), -1000, np.int16))
    lung = np.zeros((8, 20, 30), bool)
    assert body_box(air.data, lung, air.spacing_mm) == (slice(0, 20), slice(0, 30))


def test_no_class_has_the_colour_of_the_infection():
    """In hue, at least 30 degrees of 360 away."""
    infection = rgb_to_hsv(np.array([235, 40, 40]) / 255)[0]
    for rgb in viewer.CLASS_COLOURS:
        away = abs(rgb_to_hsv(np.array(rgb) / 255)[0] - infection)
        assert 360 * min(away, 1 - away) > 30
