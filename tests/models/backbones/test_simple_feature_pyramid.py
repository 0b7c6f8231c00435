"""A plain vision transformer gives maps of four sizes."""

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.models.backbones import SimpleFeaturePyramid
from xaicovid_mm.registry import MODELS
from xaicovid_mm.structures import CTSample

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
TIMM = dict(type='mmpretrain.TIMMBackbone', features_only=True, out_indices=(-1,))
SMALL = dict(embed_dim=24, depth=2, num_heads=2)
VITS = dict(
    mmpretrain=dict(
        type='mmpretrain.VisionTransformer', arch=ARCH, img_size=64, out_type='featmap'
    ),
    timm=dict(TIMM, model_name='vit_tiny_patch16_224', dynamic_img_size=True, **SMALL),
    dinov3=dict(TIMM, model_name='vit_small_patch16_dinov3', **SMALL),
    fixed=dict(TIMM, model_name='vit_tiny_patch16_224', img_size=128, **SMALL),
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')


def backbone_of(name, **pyramid):
    if name != 'mmpretrain':
        pytest.importorskip('timm')
    pyramid = dict(type='SimpleFeaturePyramid', out_channels=6, **pyramid)
    return dict(type='PretrainedEncoder', encoder=VITS[name], pyramid=pyramid)


def test_maps_have_strides_4_8_16_32_of_patches_of_16():
    maps = SimpleFeaturePyramid(in_channels=8, out_channels=5)(torch.rand(2, 8, 14, 14))
    assert [tuple(m.shape) for m in maps] == [(2, 5, s, s) for s in (56, 28, 14, 7)]


@pytest.mark.parametrize('name', VITS)
def test_every_plain_vit_serves_slices_of_another_size_than_its_own(name):
    maps = MODELS.build(backbone_of(name)).eval()(torch.rand(2, 1, 128, 128))
    assert [tuple(m.shape) for m in maps] == [(2, 6, s, s) for s in (32, 16, 8, 4)]


@pytest.mark.parametrize('name', VITS)
def test_every_weight_of_a_vit_learns(name):
    model = MultiTaskModel(
        backbone_of(name),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )
    sample = CTSample(
        metainfo=dict(is_labelled=True), label=torch.tensor(2), infection=torch.ones(1, 128, 128)
    )
    sum(model.loss(torch.rand(1, 1, 128, 128), [sample]).values()).backward()
    assert not [k for k, p in model.named_parameters() if p.requires_grad and p.grad is None]


def test_fewer_scales_give_fewer_maps():
    maps = MODELS.build(backbone_of('mmpretrain', scales=(2, 1)))(torch.rand(1, 1, 64, 64))
    assert [m.shape[-1] for m in maps] == [8, 4]


@pytest.mark.parametrize('scales', [(3, 1), (1, 2), (1, 1), ()])
def test_scales_that_cannot_be_made_are_refused(scales):
    with pytest.raises(ValueError, match='scales=.*finest first'):
        SimpleFeaturePyramid(8, scales=scales)


def test_tokens_are_no_map():
    encoder = {k: v for k, v in VITS['mmpretrain'].items() if k != 'out_type'}
    with pytest.raises(ValueError, match=r"VisionTransformer gives \(1, 16\).*'featmap'"):
        MODELS.build(dict(backbone_of('mmpretrain'), encoder=encoder))
