"""Heads take their channels from a dry forward of the backbone, which leaves no trace."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from xaicovid_mm.models import LungSegmentor, MultiTaskModel, PseudoSegModel
from xaicovid_mm.models.head_builder import HeadBuilder
from xaicovid_mm.registry import MODELS

WIDTHS = (2, 3, 4, 5, 6)
VGG = dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5))
RESNET = dict(type='mmpretrain.ResNet', depth=18, in_channels=1, out_indices=(0, 1, 2, 3))
CAM, UNET = dict(type='MultiScaleCAMHead'), dict(type='UNetDecodeHead')
FCN = dict(type='FCNHead', _scope_='mmseg', in_index=2, channels=4, threshold=0.5)
FCN |= dict(num_classes=2, out_channels=1)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')


@MODELS.register_module()
class FixedSizeNet(nn.Module):
    """Takes slices of one size only, as some transformers do."""

    def __init__(self, side):
        super().__init__()
        self.side, self.conv = side, nn.Conv2d(1, 7, 1)

    def forward(self, x):
        if x.shape[-1] != self.side:
            raise RuntimeError(f'only {self.side}')
        return (self.conv(x),)


@MODELS.register_module()
class OneTensorNet(nn.Conv2d):
    def __init__(self):
        super().__init__(1, 4, 1)


@MODELS.register_module()
class TwoMapHead(nn.Module):
    """A head of somebody else that names its maps in a list."""

    def __init__(self, in_channels, in_index=(-2, -1)):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, 1, 1) for c in in_channels)


def build(kind, **config):
    torch.manual_seed(3)
    model = kind(**config)
    model.init_weights()
    return model


@pytest.mark.parametrize(
    'kind, config, channels',
    [
        (MultiTaskModel, dict(cls_head=CAM), dict(cls_head=WIDTHS[2:])),
        (
            MultiTaskModel,
            dict(cls_head=dict(CAM, in_index=(4,), alphas=(5,)), decode_head=UNET),
            dict(cls_head=WIDTHS[4:], decode_head=WIDTHS),
        ),
        (
            MultiTaskModel,
            dict(backbone=RESNET, cls_head=CAM, decode_head=UNET),
            dict(cls_head=(128, 256, 512), decode_head=(64, 128, 256, 512)),
        ),
        (
            MultiTaskModel,
            dict(
                backbone=dict(type='VGG16', base=2),
                cls_head=dict(type='PooledHead', pool_size=7, hidden=(5,)),
            ),
            dict(cls_head=16),
        ),
        (MultiTaskModel, dict(decode_head=FCN), dict(decode_head=WIDTHS[2])),
        (MultiTaskModel, dict(decode_head=dict(type='TwoMapHead')), dict(decode_head=WIDTHS[3:])),
        (
            PseudoSegModel,
            dict(cls_head=CAM, decode_head=UNET, refiner=dict(type='GradCAMRefiner', width=4)),
            dict(cls_head=WIDTHS[2:], decode_head=WIDTHS, refiner=WIDTHS[3:]),
        ),
        (LungSegmentor, dict(decode_head=UNET), dict(decode_head=WIDTHS)),
    ],
    ids=['cam', 'one scale', 'resnet18', 'vgg16', 'mmseg', 'two maps', 'pseudoseg', 'lung'],
)
def test_measured_channels_give_the_weights_that_explicit_ones_give(kind, config, channels):
    config = {'backbone': VGG, **config}
    explicit = {name: dict(config[name], in_channels=channels[name]) for name in channels}
    measured, given = build(kind, **config), build(kind, **{**config, **explicit})
    state = given.state_dict()
    assert measured.state_dict().keys() == state.keys()
    assert all(torch.equal(v, state[k]) for k, v in measured.state_dict().items())


def test_the_dry_forward_leaves_no_trace():
    backbone = MODELS.build(RESNET)  # with batch norm
    backbone.layer1.eval()  # a part that is frozen must stay so
    modes = [module.training for module in backbone.modules()]
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    state = torch.get_rng_state()
    assert HeadBuilder(backbone).channels == (64, 128, 256, 512)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())
    assert [module.training for module in backbone.modules()] == modes
    assert all(p.grad is None for p in backbone.parameters())


def test_a_backbone_of_a_fixed_size_is_measured_at_224():
    model = MultiTaskModel(dict(type='FixedSizeNet', side=224), cls_head=dict(type='PooledHead'))
    assert model.cls_head.layers[0].in_features == 7


def test_a_backbone_that_cannot_be_measured_needs_explicit_channels():
    backbone = dict(type='FixedSizeNet', side=96)
    with pytest.raises(ValueError, match=r'cls_head.in_channels.*FixedSizeNet.*\(only 96\)'):
        MultiTaskModel(backbone, cls_head=dict(type='PooledHead'))
    model = MultiTaskModel(backbone, cls_head=dict(type='PooledHead', in_channels=7))
    assert model(torch.rand(2, 1, 96, 96))[0].shape == (2, 3)


@pytest.mark.parametrize(
    'head, message',
    [
        (
            dict(CAM, in_channels=(4, 5, 7)),
            r'cls_head.in_channels=\(4, 5, 7\).*have \(4, 5, 6\) channels.*\(2, 3, 4, 5, 6\)',
        ),
        (dict(type='PooledHead', in_channels=9), 'cls_head.in_channels=9.*have 6 channels'),
        (dict(type='PooledHead', in_index=5), 'cls_head.in_index=5.*5 maps'),
        (dict(CAM, in_index=(1, 2, 7)), r'cls_head.in_index=\(1, 2, 7\).*5 maps'),
    ],
)
def test_a_head_that_does_not_fit_is_refused_by_its_values(head, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskModel(VGG, cls_head=head)


def test_a_backbone_that_gives_no_tuple_is_refused():
    with pytest.raises(ValueError, match='OneTensorNet gives one tensor.*tuple of maps'):
        MultiTaskModel(dict(type='OneTensorNet'), cls_head=dict(type='PooledHead'))
