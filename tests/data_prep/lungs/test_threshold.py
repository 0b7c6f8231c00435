"""Lungs by threshold."""

import os
from pathlib import Path

import numpy as np
import pytest

from xaicovid_mm.data_prep.io.scan import read_volume
from xaicovid_mm.data_prep.lungs.threshold import fill_holes, lung_mask, two_largest

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


@pytest.mark.slow
@pytest.mark.real_data
def test_bowel_gas_of_a_real_scan_is_no_lung():
    folder = Path(os.environ.get('XAICOVID_DATA', '../shared/data'))
    scan = read_volume(folder / 'volumes_hu' / 'cap001.nii.gz')
    lung = lung_mask(scan.data, scan.spacing_mm)
    assert lung[:12].mean() < 0.005  # below the lungs, where the colon holds gas
    assert 5 < lung.sum() * np.prod(scan.spacing_mm) / 1e6 < 6  # litres
