"""The mask of a test is the mask of a report."""

import numpy as np
import pytest
import torch

from xaicovid_mm.evaluation.metrics import InfectionMetric
from xaicovid_mm.explain import infection_mask


@pytest.fixture
def prob():
    """Slices of 4 x 5 pixels with 0, 1, 2 and 3 of them above a half."""
    prob = np.full((4, 4, 5), 0.5, np.float32)
    for k in range(4):
        prob[k, 0, :k] = 0.6
    return prob


@pytest.mark.parametrize('kind', [np.asarray, torch.as_tensor])
@pytest.mark.parametrize(
    'min_area, left', [(0.0, [0, 1, 2, 3]), (0.1, [0, 0, 2, 3]), (0.11, [0, 0, 0, 3])]
)
def test_a_slice_with_too_little_infection_has_none(prob, kind, min_area, left):
    mask = infection_mask(kind(prob), 0.5, min_area)
    assert mask.shape == prob.shape
    assert [int(piece.sum()) for piece in mask] == left
    assert bool((mask <= (kind(prob) > 0.5)).all())


@pytest.mark.parametrize('share', [0.07, 0.14, 0.28, 0.55])
def test_a_slice_with_exactly_the_least_area_keeps_it(share):
    """0.07 x 100 x 100 is 700.0000000000001 in floating point."""
    prob, pixels = np.zeros((100, 100)), round(share * 10_000)
    prob.flat[:pixels] = 1
    assert infection_mask(prob, 0.5, share).sum() == pixels
    prob.flat[0] = 0
    assert not infection_mask(prob, 0.5, share).any()


def test_a_single_slice_is_a_slice(prob):
    assert infection_mask(prob[1], 0.5, 0.1).sum() == 0
    assert infection_mask(prob[2], 0.5, 0.1).sum() == 2


def test_the_metric_leaves_such_slices_empty_at_every_threshold(prob, tmp_path):
    samples = [
        dict(
            sample_id=f'c/{k}', case='c', patient='p', site='s', pixel_mm=None,
            prob=torch.as_tensor(prob[k : k + 1]), infection=torch.zeros(1, 4, 5).byte(),
        )
        for k in range(4)
    ]  # fmt: skip
    metric = InfectionMetric(min_area=0.15, out_file=str(tmp_path / 'i.csv'))
    metric.process({}, samples)
    assert metric.evaluate(4)['seg/empty_slice_perfect_share'] == 3 / 4
    by_threshold = (tmp_path / 'thresholds.csv').read_text().splitlines()
    shares = {line.split(',')[0]: line.split(',')[-1] for line in by_threshold[1:]}
    assert shares['0.45'] == '0.0' and shares['0.55'] == '0.75' and shares['0.65'] == '1.0'


@pytest.mark.parametrize('wrong', [-0.1, 1.0, float('nan')])
def test_a_share_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match='min_area is'):
        InfectionMetric(min_area=wrong)
