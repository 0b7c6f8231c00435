"""MultiMix: the saliency bridge and the loss over it."""

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.models import MultiMixModel

WIDTHS = (2, 3, 4, 4, 4)


@pytest.fixture
def model():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    return MultiMixModel(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='PooledHead', in_index=4),
        decode_head=dict(type='SaliencyBridgeHead'),
    )


def test_slice_and_saliency_follow_the_maps_of_the_backbone(model):
    images = torch.rand(2, 1, 32, 32)
    with torch.no_grad():  # as in validation
        *maps, bridge = model.features(images)
    assert len(maps) == 5 and bridge.shape == (2, 2, 32, 32)
    assert torch.equal(bridge[:, :1], images)

    leaf = images.clone().requires_grad_()
    logits = model.cls_head(model.backbone(leaf))
    for number, label in enumerate(logits.argmax(1).tolist()):
        (gradient,) = torch.autograd.grad(logits[number, label], leaf, retain_graph=True)
        torch.testing.assert_close(bridge[number, 1], gradient[number, 0].abs())


def test_the_saliency_teaches_nothing_and_leaves_no_gradient(model):
    bridge = model.features(torch.rand(1, 1, 32, 32))[-1]
    assert not bridge.requires_grad and model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_decoder_sees_the_bridge_in_its_first_stage_alone(model):
    images = torch.rand(1, 1, 32, 32)
    feats = list(model.features(images))
    head = model.decode_head
    other = head([*feats[:-1], 1 - feats[-1]])
    assert not torch.equal(head(feats), other)
    assert [block[0][0].in_channels for block in head.blocks] == [4 + 4 + 2, 8, 7, 5]


def test_the_head_classifies_by_the_map_it_names(model):
    feats = model.features(torch.rand(2, 1, 32, 32))
    (linear,) = model.cls_head.layers
    torch.testing.assert_close(model.classify(feats), linear(feats[4].mean((2, 3))))
