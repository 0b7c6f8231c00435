"""Trachea and main bronchi, and lungs without them."""

import numpy as np
import pytest

from xaicovid_mm.data_prep.lungs.airway import find_airway
from xaicovid_mm.data_prep.lungs.threshold import lung_mask

SPACING = (4.0, 2.0, 2.0)
ROWS, COLUMNS = slice(28, 36), slice(29, 37)
"""16 mm square, its wall a voxel away from the right lung."""


def chest(wall_hu):
    """Two lungs and a trachea between them, from the top down to slice 8."""
    hu = np.full((30, 64, 64), -1000.0)
    hu[:, 4:60, 4:60] = 40
    hu[:24, 12:52, 8:28] = hu[:24, 12:52, 40:56] = -850
    hu[8:, ROWS, COLUMNS] = -990
    hu[8:24, 28:36, 28] = wall_hu
    return hu


@pytest.mark.parametrize('wall_hu', [40, -400, -550, -750])
def test_a_trachea_is_followed_where_its_wall_is_thinner_than_a_voxel(wall_hu):
    hu = chest(wall_hu)
    hu += np.random.default_rng(0).normal(0, 15, hu.shape)
    air = hu < -320
    air[:, [0, 1, 2, 3, -1, -2, -3, -4]] = air[..., [0, 1, 2, 3, -1, -2, -3, -4]] = False
    airway = find_airway(hu, air, SPACING)
    assert airway[8:, ROWS, COLUMNS].mean() > 0.99 and not airway[:8].any()
    assert airway.sum() < 1.2 * 22 * 64  # its wall at most
    assert not lung_mask(hu, SPACING)[8:, ROWS, COLUMNS].any()


def test_without_any_wall_the_airway_ends_and_no_lung_is_lost():
    hu = chest(-850)
    hu[8:24, ROWS, COLUMNS] = -850  # now a part of the right lung
    lung = lung_mask(hu, SPACING)
    assert lung[:24, 12:52, 8:28].mean() > 0.99
    assert not lung[24:, ROWS, COLUMNS].any()


def test_bronchi_below_50_mm2_that_join_a_lung_are_lung():
    hu = chest(40)
    hu[:8, 30:33, 29:32] = -990  # 36 mm2
    hu[:8, 30:33, 28] = -400
    assert lung_mask(hu, SPACING)[:7, 30:33, 29:32].all()
