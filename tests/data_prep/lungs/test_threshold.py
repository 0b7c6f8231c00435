"""Lungs by threshold."""

import os
from pathlib import Path

import numpy as np
import pytest

from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import fill_holes, lung_mask, two_largest
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES

SPACING = (5.0, 2.0, 2.0)


@pytest.fixture
def torso():
    """Two lungs, the right one next to a bubble of gas behind a diaphragm with a pinhole."""
    hu = np.full((10, 64, 64), -1000.0)
    hu[:, 4:60, 4:60] = 40
    hu[:, 12:40, 10:28] = hu[:, 12:40, 36:54] = -850
    hu[:, 42:54, 12:26] = -980
    hu[4, 40:42, 18] = -500
    return hu


def test_both_lungs_are_found_whole(torso):
    found = lung_mask(torso, SPACING)
    assert found[:, 12:40, 10:28].mean() > 0.97 and found[:, 12:40, 36:54].mean() > 0.97


def test_gas_behind_a_leaky_diaphragm_is_no_lung(torso):
    assert lung_mask(torso, SPACING)[:, 46:54].mean() < 0.01


def test_air_around_the_body_is_no_lung(torso):
    found = lung_mask(torso, SPACING)
    assert not found[:, :4].any() and not found[..., :4].any()


def test_vessels_count_as_lung(torso):
    torso[:, 20:24, 15:18] = 40
    assert lung_mask(torso, SPACING)[:, 20:24, 15:18].all()


def test_the_dome_of_the_diaphragm_is_no_lung(torso):
    torso[2, 10:44, 6:32] = -850  # the foot of the right lung, all around the liver's dome
    torso[2, 14:40, 8:30] = 40  # 26 x 22 pixels of 4 mm2: 22.9 cm2
    assert not lung_mask(torso, SPACING)[2, 20:34, 14:24].any()


def test_what_lies_between_the_two_lungs_is_no_lung(torso):
    torso[:, 12:20, 10:30] = torso[:, 12:20, 33:54] = -850  # in front they are 6 mm apart
    found = lung_mask(torso, SPACING)
    assert found[:, 12:20, 10:30].mean() > 0.95 and found[:, 12:20, 33:54].mean() > 0.95
    assert not found[:, 12:40, 30:33].any()


def test_a_thin_recess_beside_the_diaphragm_is_lung_and_gas_behind_it_is_not(torso):
    torso[:, 40:54, 54:56] = -850  # 4 mm wide, 28 mm deep, from the left lung
    torso[:, 40:42, 52:54] = -850
    torso[:, 44:54, 36:52] = -980
    torso[4, 46, 52:54] = -500  # a pinhole
    found = lung_mask(torso, SPACING)
    assert found[:, 40:54, 54:56].mean() > 0.9
    assert found[:, 44:54, 38:50].mean() < 0.02


@pytest.mark.parametrize('side, filled', [(22, True), (23, False)])  # 19.4 and 21.2 cm2
def test_holes_are_filled_up_to_20_cm2(side, filled):
    mask = np.zeros((1, 40, 40), bool)
    mask[0, 2:38, 2:38] = True
    mask[0, 5 : 5 + side, 5 : 5 + side] = False
    assert fill_holes(mask, (5, 2, 2))[0, 6, 6] == filled


def test_of_many_parts_the_two_largest_stay_unless_the_second_is_tiny():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, :5, :10] = mask[0, 10:14, :5] = mask[0, 18, 18] = True
    assert two_largest(mask).sum() == 70
    mask[0, 10:14, :5] = False
    mask[0, 18, 16:20] = True
    mask[0, :5, :18] = True
    assert two_largest(mask).sum() == 90  # 4 voxels are less than a twentieth of 90
    assert not two_largest(mask & False).any()


@pytest.fixture(scope='module')
def chest():
    case = make_case(0, SITES[1], [1])
    return case.hu, case.lung, case.spacing


def wider(hu, mm, spacing, value=-1000):
    rows, columns = (round(mm / side) for side in spacing[1:])
    return np.pad(hu, ((0, 0), (rows, rows), (columns, columns)), constant_values=value)


def on_a_table(hu, spacing, wall_hu):
    """A hollow table whose top touches the back: 40 mm high, 9 mm of wall, air inside."""
    hu = wider(hu, 60, spacing)
    back = np.flatnonzero((hu > -300).any((0, 2)))[-1] + 1
    rows, wall = round(40 / spacing[1]), round(9 / spacing[1])
    table = np.s_[:, back : back + rows, 10:-10]
    hu[table] = wall_hu
    hu[:, back + wall : back + rows - wall, 10 + wall : -10 - wall] = -900
    return hu


def in_a_circle(hu, spacing, value):
    hu = wider(hu, 60, spacing)
    y, x = np.mgrid[-1 : 1 : hu.shape[1] * 1j, -1 : 1 : hu.shape[2] * 1j]
    hu[:, x**2 + y**2 > 1] = value
    return hu


def open_airway(hu, spacing):
    """The trachea opens to the front and reaches the edge of the array, as through a mouth."""
    hu = wider(hu, 60, spacing)
    middle = hu.shape[2] // 2
    hu[-4:-1, : hu.shape[1] // 2, middle - 3 : middle + 4] = -1000
    return hu


FAULTS = {
    'a hollow table': lambda hu, mm: on_a_table(hu, mm, 100),
    'a table of foam': lambda hu, mm: on_a_table(hu, mm, -250),
    'a circle of 0 HU': lambda hu, mm: in_a_circle(hu, mm, 0),
    'a circle of 3000 HU': lambda hu, mm: in_a_circle(hu, mm, 3000),
    'a circle of -2000 HU': lambda hu, mm: in_a_circle(hu, mm, -2000),
    'a frame of 0 HU': lambda hu, mm: wider(hu, 60, mm, 0),
    'a circle in a frame': lambda hu, mm: wider(in_a_circle(hu, mm, -2000), 30, mm, 0),
    'a table in a circle': lambda hu, mm: in_a_circle(on_a_table(hu, mm, 100), mm, 0),
    'an open airway': open_airway,
}


@pytest.mark.parametrize('name', FAULTS)
def test_what_lies_around_the_body_changes_no_lung(chest, name):
    hu, lung, spacing = chest
    changed = FAULTS[name](hu, spacing)
    found = lung_mask(changed, spacing)
    rows, columns = ((a - b) // 2 for a, b in zip(changed.shape[1:], hu.shape[1:], strict=True))
    inner = found[:, rows : rows + hu.shape[1], columns : columns + hu.shape[2]]
    assert inner.sum() == found.sum()
    assert 2 * (inner & lung).sum() / (inner.sum() + lung.sum()) > 0.96


@pytest.mark.parametrize('value', [-1024, 0, -2000])
def test_blank_slices_at_the_ends_change_no_lung(chest, value):
    hu, lung, spacing = chest
    padded = np.pad(hu, ((4, 3), (0, 0), (0, 0)), constant_values=value)
    np.testing.assert_array_equal(lung_mask(padded, spacing)[4:-3], lung_mask(hu, spacing))


def test_the_trachea_is_no_lung(chest):
    hu, lung, spacing = chest
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in hu.shape)
    trachea = (hu < -900) & ~lung
    trachea[:, :, np.abs(x * spacing[2]) > 15] = trachea[:, np.abs(y * spacing[1] - 12) > 20] = (
        False
    )
    trachea[z * spacing[0] < 45] = False
    found = lung_mask(hu, spacing)
    assert trachea.sum() > 100 and not found[trachea].any()


def test_a_thin_wall_of_the_chest_loses_no_lung(torso):
    torso[:, 15:30, 4:8] = -1000  # 2 voxels are left between the right lung and the room
    found = lung_mask(torso, SPACING)
    assert found[:, 12:40, 10:28].mean() > 0.97


def test_gas_in_a_large_bowel_is_no_second_lung(torso):
    torso[:, 12:40, 36:54] = 40  # the left lung is dense
    torso[:3, 14:56, 32:58] = -990
    found = lung_mask(torso, SPACING)
    assert found[:, 12:40, 10:28].mean() > 0.97 and not found[..., 34:].any()


@pytest.mark.slow
@pytest.mark.real_data
def test_bowel_gas_of_a_real_scan_is_no_lung():
    folder = Path(os.environ.get('XAICOVID_DATA', '../shared/data'))
    scan = read_volume(folder / 'volumes_hu' / 'cap001.nii.gz')
    lung = lung_mask(scan.data, scan.spacing_mm)
    assert lung[:12].mean() < 0.005  # below the lungs, where the colon holds gas
    assert 5 < lung.sum() * np.prod(scan.spacing_mm) / 1e6 < 6  # litres
