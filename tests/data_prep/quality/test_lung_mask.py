"""Odd lung masks."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.quality.lung_mask import lung_flags

SPACING = (5.0, 2.0, 2.0)
RIGHT, LEFT = (
    (slice(None), slice(20, 60), slice(15, 45)),
    (slice(None), slice(20, 60), slice(55, 85)),
)


@pytest.fixture
def chest():
    """A scan with a body in the middle, and its two lungs of 20 slices, 480 ml each."""
    scan = np.full((20, 80, 100), -1000.0)
    scan[:, 5:75, 5:95] = 40
    mask = np.zeros(scan.shape, bool)
    mask[RIGHT] = mask[LEFT] = True
    scan[mask] = -850
    return scan, mask


def test_two_like_lungs_raise_no_flag(chest):
    assert lung_flags(chest[1], chest[0], SPACING) == []


def test_flags_do_not_depend_on_the_intensity_kind(chest):
    scan, mask = chest
    mask[LEFT] = False
    display = np.clip((scan + 1350) / 1500 * 255, 0, 255)
    assert lung_flags(mask, display, SPACING) == lung_flags(mask, scan, SPACING)


def test_an_empty_mask_is_no_lung(chest):
    assert lung_flags(chest[1] & False, chest[0], SPACING) == [
        'no lung: 0 ml, at least 200 expected'
    ]


def test_a_crumb_is_no_lung(chest):
    mask = chest[1] & False
    mask[0, 20:40, 15:35] = True  # 400 voxels of 20 mm3
    assert lung_flags(mask, chest[0], SPACING) == ['no lung: 8 ml, at least 200 expected']


@pytest.mark.parametrize('lost, side', [(RIGHT, 'right'), (LEFT, 'left')])
def test_a_lung_that_is_missing_is_named(chest, lost, side):
    scan, mask = chest
    mask[lost] = False
    (flag,) = lung_flags(mask, scan, SPACING)
    assert flag == f'one lung: the {side} one has 0.00 of the other, at least 0.7 expected'


@pytest.mark.parametrize('rows, flags', [(29, 0), (27, 1)])  # of 40: 0.725 and 0.675
def test_a_lung_that_is_much_smaller_is_flagged(chest, rows, flags):
    scan, mask = chest
    mask[:, 20 + rows : 60, 55:85] = False
    assert len(lung_flags(mask, scan, SPACING)) == flags


def test_a_slice_that_lacks_its_lungs_is_named(chest):
    scan, mask = chest
    mask[7] = False
    flags = lung_flags(mask, scan, SPACING)
    assert flags[1] == 'area jumps at slice 7: 1.00 of the largest, at most 0.33 expected'
    assert [flag.split(':')[0] for flag in flags] == [f'area jumps at slice {z}' for z in (6, 7, 8)]


def test_lungs_that_taper_raise_no_flag(chest):
    scan, mask = chest
    for z in range(10):
        mask[10 + z, 60 - 4 * z :] = False
    assert lung_flags(mask, scan, SPACING) == []
