"""The pictures of the check page."""

import base64

import cv2
import numpy as np

from xaicovid_mm.data_prep.check.thumbnails import thumbnails


def grey(thumbnail):
    raw = np.frombuffer(base64.b64decode(thumbnail.png), np.uint8)
    return cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE).astype(int)


def test_a_coronal_picture_of_thick_slices_has_true_proportions_and_no_blocks():
    """Values rise by 10 a slice of 10 mm; the head is at the top. By hand: 1 a row of 1 mm."""
    data = np.zeros((10, 4, 100)) + 10 * np.arange(10)[:, None, None]
    axial, coronal = thumbnails(data, (10.0, 1.0, 1.0), (0.0, 255.0))
    assert (coronal.width, coronal.height) == (128, 128) and (axial.width, axial.height) == (128, 5)
    rows = grey(coronal)[:, 64]
    assert rows[0] == 90 and rows[-1] == 0
    assert np.abs(np.diff(rows)).max() <= 1  # blocks would step by 10


def test_a_side_that_shrinks_is_averaged():
    """Columns of 0 and 200 in turn, two a pixel."""
    data = np.zeros((1, 256, 256)) + 200 * (np.arange(256) % 2)
    axial = grey(thumbnails(data, (1.0, 1.0, 1.0), (0.0, 255.0))[0])
    assert axial.shape == (128, 128) and set(axial.ravel()) == {100}
