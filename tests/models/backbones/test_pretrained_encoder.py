"""The normalisation of an encoder stays inside the backbone: black is 0 in every slice."""

import pytest
import torch
from captum.attr import IntegratedGradients
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from xaicovid_mm.explain import integrated_gradients
from xaicovid_mm.explain.integrated_gradients import completeness_gap
from xaicovid_mm.explain.saliency import Saliency
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.registry import MODELS
from xaicovid_mm.structures import CTSample

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESNET = dict(type='mmpretrain.ResNet', depth=18, base_channels=4, out_indices=(0, 1, 2, 3))
ENCODER = dict(type='PretrainedEncoder', encoder=RESNET, mean=MEAN, std=STD)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')


@MODELS.register_module()
class Echo(nn.Module):
    """Gives the image back, as a map."""

    def __init__(self, in_channels):
        super().__init__()

    def forward(self, x):
        return (x,)


def model_of(**changes):
    torch.manual_seed(0)
    return MultiTaskModel(
        dict(ENCODER, **changes),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )


def lungs(count=2):
    slices = torch.rand(count, 1, 64, 64)
    slices[..., :16] = 0
    return slices


def samples(count=2):
    meta = dict(is_labelled=True)
    return [
        CTSample(metainfo=meta, label=torch.tensor(2), infection=torch.ones(1, 64, 64))
        for _ in range(count)
    ]


def test_the_encoder_sees_its_own_units_in_every_channel():
    encoder = MODELS.build(dict(ENCODER, encoder=dict(type='Echo')))
    seen = encoder(torch.full((2, 1, 4, 4), 0.5))[0]
    assert seen.shape == (2, 3, 4, 4)
    for channel, mean, std in zip(seen[0], MEAN, STD, strict=True):
        torch.testing.assert_close(channel, torch.full((4, 4), (0.5 - mean) / std))


def test_without_numbers_a_slice_passes_as_it_is():
    slices = torch.rand(2, 1, 4, 4)
    seen = MODELS.build(dict(type='PretrainedEncoder', encoder=dict(type='Echo')))(slices)[0]
    assert torch.equal(seen, slices)


def test_the_baseline_of_integrated_gradients_is_the_black_slice():
    model, slices = model_of().eval(), lungs()

    def score(x):
        return model.classify(model.features(x))[:, 2]

    ours = integrated_gradients(score, slices, steps=32)
    black = torch.zeros_like(slices)
    theirs = IntegratedGradients(score).attribute(
        slices, baselines=black, n_steps=32, method='riemann_right'
    )
    torch.testing.assert_close(ours, theirs.to(ours), rtol=1e-3, atol=1e-5)
    gained = (score(slices) - score(black)).detach()
    assert completeness_gap(score, slices, ours).abs().max() < 0.2 * gained.abs().max()
    assert not ours[..., :16].any()


def test_saliency_is_empty_outside_the_lungs():
    model, slices = model_of().eval(), lungs()
    saliency = Saliency(steps=4)(lambda x: model.classify(model.features(x)), slices, 2)
    assert saliency[..., 16:].max() == 1 and not saliency[..., :16].any()


def step(model, **optim):
    """One training step; the names of the weights and statistics that moved."""
    before = {k: v.clone() for k, v in model.state_dict().items()}
    config = dict(optimizer=dict(type='SGD', lr=0.1), **optim)
    wrapper = build_optim_wrapper(model, config)
    losses = model.train().loss(lungs(), samples())
    wrapper.update_params(sum(losses.values()))
    after = model.state_dict()
    return {k for k, v in before.items() if not torch.equal(v, after[k])}


def test_a_frozen_encoder_stays_as_it_is_and_the_heads_learn():
    moved = step(model_of(frozen=True))
    assert not any(name.startswith('backbone') for name in moved)
    assert any(name.startswith('decode_head') for name in moved)


def test_a_frozen_encoder_still_passes_gradients_to_the_slice():
    model, slices = model_of(frozen=True).train(), lungs().requires_grad_()
    score = model.classify(model.features(slices))[:, 2].sum()
    assert torch.autograd.grad(score, slices)[0].abs().sum() > 0


def test_an_encoder_that_is_not_frozen_learns_with_its_statistics():
    moved = step(model_of())
    assert {'backbone.encoder.conv1.weight', 'backbone.encoder.bn1.running_mean'} <= moved


def test_the_encoder_learns_slower_by_the_key_of_mmengine():
    model = model_of()
    slower = dict(custom_keys={'backbone.encoder': dict(lr_mult=0.1)})
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='Adam', lr=1e-3), paramwise_cfg=slower)
    )
    rates = {id(g['params'][0]): g['lr'] for g in wrapper.optimizer.param_groups}
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == pytest.approx(1e-4 if 'encoder' in name else 1e-3)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(std=(0.5,)), r'std=\(0.5,\).*one number per channel'),
        (dict(std=(0.2, 0.0, 0.2)), 'std above 0'),
        (dict(mean=(), std=()), 'one number per channel'),
        (dict(encoder=dict(RESNET, in_channels=1)), 'encoder.in_channels=1.*mean has 3'),
        (dict(encoder=dict(RESNET, pretrained=True)), 'encoder.pretrained=True.*init_cfg'),
        (dict(encoder=dict(RESNET, checkpoint_path='w.pth')), 'checkpoint_path=.w.pth.*init_cfg'),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(ENCODER, **wrong))
