"""The body in a scan."""

import cc3d
import cv2
import numpy as np
import pytest

from xaicovid_mm.data_prep import body
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES


@pytest.mark.parametrize('seed', range(20))
def test_the_hull_is_that_of_every_pixel(seed):
    rng = np.random.default_rng(seed)
    plane = (rng.random((40, 50)) < 0.002 * 3 ** (seed % 5)).astype(np.uint8)
    expected = np.zeros_like(plane)
    if plane.any():
        cv2.fillConvexPoly(expected, cv2.convexHull(cv2.findNonZero(plane)), 1)
    np.testing.assert_array_equal(body._hull(plane), expected)


def test_a_cavity_counts_by_its_share_within_the_outline():
    enclosed = np.zeros((9, 20, 20), bool)
    enclosed[1:3, 2:4, 10:15] = True  # all within
    enclosed[4:8, 2:4, 1:6] = True  # a fifth of it beyond: columns 0 and 1
    enclosed[4:8, 10:12, 0:5] = True  # two fifths beyond
    outlines = np.ones((3, 20, 20), bool)
    outlines[..., :2] = False
    parts, count = cc3d.connected_components(enclosed, connectivity=6, return_N=True)
    within = body._within(parts, count, outlines, np.arange(9) // 3)
    kept = within[parts]
    assert kept[1, 2, 12] and kept[5, 2, 3] and not kept[5, 10, 3] and not kept[0].any()
    assert kept.sum() == 2 * 2 * 5 + 4 * 2 * 5


def test_lungs_are_inside_and_the_room_is_not():
    case = make_case(0, SITES[1], [1])
    inside = body.inside_body(case.hu, case.spacing)
    assert inside[case.lung].mean() > 0.99
    assert not inside[:, 0, 0].any() and 0.2 < inside.mean() < 0.9
