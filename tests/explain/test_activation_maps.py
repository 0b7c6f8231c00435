"""Eqs. (2) and (3)."""

import pytest
import torch

from xaicovid_mm.explain import caam, cam, fuse_scales, min_max

FEATURES = torch.tensor([[[[1.0, 2], [4, 3]], [[0, 3], [1, 2.5]]]])


def test_maps_of_two_channels_by_hand():
    found = cam(FEATURES, torch.tensor([[1.0, -1.0]]), torch.tensor([0]))
    assert found[0].tolist() == [[1, -1], [3, 0.5]]
    assert caam(FEATURES)[0].tolist() == [[1, 5], [5, 5.5]]
    torch.testing.assert_close(min_max(found)[0], torch.tensor([[0.5, 0], [1, 0.375]]))
    torch.testing.assert_close(min_max(caam(FEATURES))[0], torch.tensor([[0, 8 / 9], [8 / 9, 1]]))


def test_each_sample_has_the_map_of_its_own_class():
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = cam(FEATURES.expand(2, -1, -1, -1), weights, torch.tensor([1, 0]))
    torch.testing.assert_close(found, FEATURES[0, [1, 0]])


def test_min_max_ignores_scale_and_shift_of_each_map():
    maps = torch.rand(3, 5, 5)
    scale, shift = torch.rand(3, 1, 1) + 1, torch.randn(3, 1, 1)
    torch.testing.assert_close(min_max(scale * maps + shift), min_max(maps), atol=1e-5, rtol=0)


def test_a_flat_map_becomes_zeros_without_gradient():
    flat = torch.full((1, 4, 4), 4.2, requires_grad=True)
    scaled = min_max(flat)
    scaled.sum().backward()
    assert not scaled.any() and not flat.grad.any()


@pytest.mark.parametrize('fuse', ['mean', 'max', 'product', 'conv5'])
def test_fused_scales_fill_0_to_1_at_the_size_of_the_slice(fuse):
    maps = [torch.rand(2, side, side) for side in (8, 4, 2)]
    fused = fuse_scales(maps, (16, 16), fuse)
    assert fused.shape == (2, 1, 16, 16)
    assert fused.amin((1, 2, 3)).tolist() == [0, 0]
    torch.testing.assert_close(fused.amax((1, 2, 3)), torch.ones(2))


def test_conv5_alone_ignores_the_finer_scales():
    coarse = torch.rand(1, 2, 2)
    one, other = (fuse_scales([torch.rand(1, 8, 8), coarse], (8, 8), 'conv5') for _ in range(2))
    torch.testing.assert_close(one, other)


def test_an_unknown_fusion_is_refused():
    with pytest.raises(ValueError, match='median'):
        fuse_scales([torch.rand(1, 2, 2)], (4, 4), 'median')
