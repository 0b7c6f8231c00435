"""Which side a voxel of lung belongs to, and how much of each side is infected."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from xaicovid_mm.apis.outputs.infection_burden import infection_burden, lung_sides

RIGHT, LEFT = 1, 2


def test_the_patients_right_comes_first_in_an_upright_scan():
    lung = np.zeros((2, 4, 10), bool)
    lung[:, 1:3, 1:4] = lung[:, 1:3, 6:9] = True
    sides = lung_sides(lung)
    assert (sides[:, 1:3, 1:4] == RIGHT).all() and (sides[:, 1:3, 6:9] == LEFT).all()
    assert not sides[~lung].any()


def test_a_part_that_leans_over_the_middle_stays_whole():
    lung = np.zeros((1, 3, 20), bool)
    lung[0, 0, 0:11] = lung[0, 2, 12:20] = True  # the middle lies between columns 9 and 10
    sides = lung_sides(lung)
    assert (sides[0, 0, 0:11] == RIGHT).all() and (sides[0, 2, 12:20] == LEFT).all()


def test_lungs_that_touch_are_divided_at_the_middle():
    lung = np.ones((1, 2, 5), bool)
    assert lung_sides(lung)[0, 0].tolist() == [RIGHT, RIGHT, LEFT, LEFT, LEFT]


def test_no_lung_has_no_side():
    assert not lung_sides(np.zeros((2, 3, 4), bool)).any()


@pytest.mark.parametrize('seed', range(6))
def test_sides_are_those_of_the_parts_that_scipy_finds(seed):
    draw = np.random.default_rng(seed).normal(size=(8, 20, 31 + seed % 2))
    lung = gaussian_filter(draw, 2) > 0.05
    columns = np.flatnonzero(lung.any((0, 1)))
    right = np.broadcast_to(np.arange(lung.shape[2]) < columns[[0, -1]].mean(), lung.shape)
    parts, count = label(lung)
    sides = lung_sides(lung)
    for number in range(1, count + 1):
        part = parts == number
        share = right[part].mean()
        whole = abs(share - 0.5) > 0.35
        expected = (share > 0.5) if whole else right[part]
        assert np.array_equal(sides[part], np.where(expected, RIGHT, LEFT) + np.zeros(part.sum()))


def test_the_burden_is_counted_on_each_side_in_ml():
    lung = np.zeros((4, 4, 10), bool)
    lung[:, 1:3, 1:4] = lung[1:, 1:3, 6:9] = True  # 24 voxels on the right, 18 on the left
    infection = np.zeros_like(lung)
    infection[1:3, 1, 1:4] = infection[2, 2, 6] = True  # 6 and 1
    infection[3, 0, 0] = True  # beside the lungs, and not counted but in the range
    assert infection_burden(infection, lung, (5.0, 2.0, 2.0)) == dict(  # 0.02 ml a voxel
        total=dict(infection_ml=0.14, lung_ml=0.84, percent_of_lung=16.67),
        right=dict(infection_ml=0.12, lung_ml=0.48, percent_of_lung=25.0),
        left=dict(infection_ml=0.02, lung_ml=0.36, percent_of_lung=5.56),
        slice_range=[1, 3],
    )


def test_no_lung_has_no_share_of_infection():
    nothing = np.zeros((2, 3, 4), bool)
    side = dict(infection_ml=0.0, lung_ml=0.0, percent_of_lung=None)
    burden = infection_burden(nothing, nothing, (1.0, 1.0, 1.0))
    assert burden == dict(total=side, right=side, left=side, slice_range=None)


def test_the_burden_takes_less_memory_than_five_masks_of_the_scan():
    lung = np.zeros((100, 128, 128), bool)
    lung[5:95, 10:118, 10:50] = lung[5:95, 10:118, 78:118] = True
    tracemalloc.start()
    infection_burden(lung, lung, (1.0, 1.0, 1.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * lung.nbytes
