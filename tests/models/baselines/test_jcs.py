"""JCS: two encoders, attentive fusion, a loss at every level."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch.nn import functional as F

from xaicovid_mm.models import JCSDecodeHead, JCSEncoder, JCSModel
from xaicovid_mm.models.baselines.jcs import GroupedDilation

WIDTHS = (16, 32, 64, 128, 128, 128)


@pytest.fixture(scope='module')
def model():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    return JCSModel(
        backbone=dict(type='JCSEncoder', base=16),
        cls_head=dict(type='PooledHead'),
        decode_head=dict(type='JCSDecodeHead'),
        mask_loss=dict(type='BCEDiceLoss'),
    )


def test_six_levels_for_the_mask_and_one_map_for_the_class(model):
    maps = model.features(torch.rand(2, 1, 64, 96))
    sizes = [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3), (4, 6), (2, 3)]  # the sixth is VGG's
    channels = (*WIDTHS, 512)
    assert [m.shape for m in maps] == [
        (2, c, *size) for c, size in zip(channels, sizes, strict=True)
    ]


@pytest.mark.parametrize('base, width', [(64, 26), (32, 13), (16, 6)])
def test_both_encoders_shrink_with_the_base(base, width):
    encoder = JCSEncoder(base=base)
    assert encoder.stages[0][0].conv.out_channels == base
    assert encoder.classes.layer1[0].convs[0].in_channels == width  # of each scale of Res2Net


def test_the_fourth_pool_is_skipped():
    encoder = JCSEncoder(base=4)
    sizes = [m.shape[-1] for m in encoder._masks(torch.rand(1, 1, 64, 64))]
    assert sizes == [64, 32, 16, 8, 8, 4]


def test_the_mask_reads_the_features_of_the_class(model):
    image = torch.rand(1, 1, 64, 64)
    model.eval()
    before = model(image)[1]
    with torch.no_grad():
        model.backbone.classes.stem[0].conv.weight.mul_(-1)
    after = model(image)[1]
    model.train()
    assert not torch.allclose(before, after)


def test_grouped_dilation_sees_each_group_at_its_rate():
    block = GroupedDilation(8, (1, 3, 6, 9))
    assert [group.dilation for group in block.groups] == [(1, 1), (3, 3), (6, 6), (9, 9)]
    assert [group.in_channels for group in block.groups] == [4] * 4
    assert block(torch.rand(2, 8, 5, 7)).shape == (2, 8, 5, 7)


def test_every_level_but_the_coarsest_has_a_side_output():
    head = JCSDecodeHead(in_channels=(4, 6, 8), in_index=(0, 1, 2))
    feats = [torch.rand(2, c, side, side) for c, side in ((4, 16), (6, 8), (8, 4))]
    sides = head.sides([*feats, torch.rand(2, 99, 1, 1)])  # the classifier's map is not read
    assert [s.shape for s in sides] == [(2, 1, 16, 16), (2, 1, 8, 8)]
    torch.testing.assert_close(head(feats), sides[0])


def test_the_mask_loss_is_the_sum_over_the_side_outputs(model):
    feats = model.features(torch.rand(2, 1, 64, 64))
    masks = (torch.rand(2, 1, 64, 64) > 0.7).float()
    sides = [F.interpolate(s, (64, 64), mode='bilinear') for s in model.decode_head.sides(feats)]
    assert len(sides) == 5
    expected = sum(model.mask_loss(side, masks) for side in sides)
    torch.testing.assert_close(model.segmentation_loss(feats, masks), expected)


def test_the_decoder_names_maps_that_do_not_fit():
    with pytest.raises(ValueError, match=r'in_channels \(4, 6\) and in_index \(0, 1, 2, 3, 4, 5\)'):
        JCSDecodeHead(in_channels=(4, 6))
