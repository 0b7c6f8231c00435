"""The weighted mean of the maps (Table V, "w/o sharpen")."""

import pytest
import torch

from xaicovid_mm.models.calibration import WeightedMean


def test_the_weighted_mean_by_hand():
    maps = (torch.full((1, 1, 1, 1), value) for value in (0.9, 0.6, 0.8))
    found = WeightedMean((0.3, 0.4, 0.4))(*maps)
    assert found.item() == pytest.approx((0.27 + 0.24 + 0.32) / 1.1)


@pytest.mark.parametrize('weights', [(1, 1), (-1, 1, 1), (0, 0, 0)])
def test_weights_without_meaning_are_refused(weights):
    with pytest.raises(ValueError, match='three numbers'):
        WeightedMean(weights)
