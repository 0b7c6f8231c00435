"""Packed slices are closed and grown as OpenCV and scipy do it slice by slice."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from skimage.morphology import disk

from xaicovid_mm.data_prep.lungs.morphology import closed, grown


def masks(depth, share, seed=0):
    rng = np.random.default_rng([seed, depth])
    return rng.random((depth, 23, 31)) < share


@pytest.mark.parametrize('depth', [1, 7, 8, 9, 17])
@pytest.mark.parametrize('radius', [1, 3, 6, 40])
def test_a_mask_is_closed_as_by_opencv(depth, radius):
    mask = masks(depth, 0.02)
    expected = [
        cv2.morphologyEx(plane.view(np.uint8), cv2.MORPH_CLOSE, disk(radius)) for plane in mask
    ]
    np.testing.assert_array_equal(closed(mask, radius), np.stack(expected).view(bool))


@pytest.mark.parametrize('depth', [1, 7, 8, 9, 17])
@pytest.mark.parametrize('steps', [1, 4, 30])
def test_a_mask_grows_as_by_scipy(depth, steps):
    room = masks(depth, 0.6)
    core = room & masks(depth, 0.01, seed=1)
    assert core.any()
    expected = binary_dilation(core, iterations=steps, mask=room)
    np.testing.assert_array_equal(grown(core, room, steps), expected)


def test_nothing_grows_to_nothing():
    room = masks(9, 0.6)
    assert not grown(room & False, room, 3).any()
