"""A plain classifier on one map."""

import pytest
import torch
from torch.nn import functional as F

from xaicovid_mm.models import PooledHead


def test_a_pooled_head_may_take_maxima_before_it_averages():
    """Maxima of the 2x2 blocks of 0..15 are 5, 7, 13, 15; their mean is 10, the plain one 7.5."""
    feats = [torch.arange(16.0).reshape(1, 1, 4, 4)]
    for max_pool, value in ((True, 10.0), (False, 7.5)):
        head = PooledHead(in_channels=1, max_pool=max_pool, num_classes=1)
        head.layers[0].load_state_dict(dict(weight=torch.ones(1, 1), bias=torch.zeros(1)))
        assert head(feats).item() == pytest.approx(value)


def test_a_pooled_head_is_a_linear_map_of_averages():
    head = PooledHead(in_channels=2)
    feats = [torch.rand(3, 5, 8, 8), torch.rand(3, 2, 4, 4)]
    (linear,) = head.layers
    torch.testing.assert_close(head(feats), linear(feats[1].mean((2, 3))))
    labels = torch.tensor([0, 1, 2])
    torch.testing.assert_close(head.loss(feats, labels)['ce'], F.cross_entropy(head(feats), labels))


def test_hidden_layers_come_with_dropout():
    head = PooledHead(in_channels=2, pool_size=2, hidden=(50,)).train()
    feats = [torch.ones(1, 2, 4, 4)]
    assert not torch.equal(head(feats), head(feats))
    assert torch.equal(head.eval()(feats), head(feats)) and head.layers[0].in_features == 8
