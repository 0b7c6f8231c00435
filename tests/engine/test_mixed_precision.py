"""Training steps with bfloat16, and maps with their channels last in memory."""

import pytest
import torch
from mmengine import Config
from torch.nn import functional as F

from xaicovid_mm.cli.train import _config, _parser
from xaicovid_mm.engine import mixed_precision
from xaicovid_mm.engine.mixed_precision import BFloat16OptimWrapper, has_bfloat16
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.models.conv_block import conv_block
from xaicovid_mm.registry import OPTIM_WRAPPERS
from xaicovid_mm.structures import CTSample

NORM = dict(type='BN')


def _model(**settings) -> MultiTaskModel:
    torch.manual_seed(0)
    widths = (8, 8, 16, 16, 16)
    model = MultiTaskModel(
        backbone=dict(
            type='MultiScaleVGG',
            widths=widths,
            out_stages=(1, 2, 3, 4, 5),
            norm_cfg=dict(type='BN'),
        ),
        cls_head=dict(type='MultiScaleCAMHead', map_weight=1.0, adapter=1),
        decode_head=dict(type='UNetDecodeHead', norm_cfg=NORM),
        mask_loss=dict(type='BCEDiceLoss'),
        **settings,
    )
    model.init_weights()
    return model


def _batch() -> tuple[torch.Tensor, list[CTSample]]:
    """Smooth slices: in noise, rounding decides which pixel is the greatest of its neighbours."""
    noise = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    images = F.interpolate(noise, size=(64, 64), mode='bicubic').sigmoid()
    masks = (images > 0.8).long()
    samples = [CTSample(label=torch.tensor(i % 3), infection=masks[i]) for i in range(4)]
    return images, samples


def _gradient(model: MultiTaskModel, enabled: bool) -> tuple[dict, torch.Tensor]:
    """Losses of a step, and the gradient of the mask loss: a maximum over a map may jump."""
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    wrapper.enabled = enabled
    with wrapper.optim_context(model):
        losses = model.loss(*_batch())
    losses['loss_s'].backward()
    grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return losses, torch.cat(grads)


def test_a_step_in_bfloat16_points_the_way_of_one_in_float32():
    exact_losses, exact = _gradient(_model(), enabled=False)
    losses, gradient = _gradient(_model(), enabled=True)
    assert torch.cosine_similarity(gradient, exact, dim=0) > 0.95
    assert not torch.equal(gradient, exact)  # it did take effect
    for name, value in losses.items():
        assert value.dtype == torch.float32, name
        assert value.item() == pytest.approx(exact_losses[name].item(), rel=0.05), name


def test_weights_and_their_gradients_stay_float32():
    model = _model()
    _gradient(model, enabled=True)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}


def test_forward_outside_a_training_step_is_float32():
    model = _model().eval()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    images, _ = _batch()
    before = model(images)[1]
    with wrapper.optim_context(model):
        pass
    torch.testing.assert_close(model(images)[1], before, rtol=0, atol=0)


def test_a_device_without_bfloat16_trains_in_float32_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(mixed_precision, 'has_bfloat16', lambda device: False)
    said = []
    monkeypatch.setattr(mixed_precision, 'print_log', lambda text, **_: said.append(text))
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(_model().parameters(), lr=0.1))
    assert not wrapper.enabled
    assert said == ['this cpu has no instructions for bfloat16: training in float32']


def test_only_native_instructions_count(monkeypatch):
    for capabilities, native in (
        (dict(avx512_bf16=True), True),
        (dict(amx_bf16=True, avx512_bf16=False), True),
        (dict(avx512_f=True), False),
        ({}, False),
    ):
        monkeypatch.setattr(
            torch.cpu, 'get_capabilities', lambda found=capabilities: found, raising=False
        )
        assert has_bfloat16('cpu') is native
    assert not has_bfloat16('mps')


def test_amp_of_the_command_line_takes_the_wrapper(tiny_store, monkeypatch):
    monkeypatch.setenv('XAICOVID_STORE', str(tiny_store))
    monkeypatch.setenv('XAICOVID_SPLIT', 'default')
    cfg = _config(_parser().parse_args(['configs/quick/recommended_semi.py', '--amp']))
    assert cfg.optim_wrapper.type == 'BFloat16OptimWrapper'
    assert cfg.optim_wrapper.optimizer.type == 'Adam'
    assert OPTIM_WRAPPERS.get(cfg.optim_wrapper.type) is BFloat16OptimWrapper


def test_channels_last_changes_where_values_lie_and_not_what_they_are():
    plain, last = _model().eval(), _model(channels_last=True).eval()
    last.load_state_dict(plain.state_dict())
    convolution = last.backbone.stages[1][0][0].weight
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    images, _ = _batch()
    for got, expected in zip(last(images), plain(images), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    gradient, expected = (_gradient(m, enabled=False)[1] for m in (last, plain))
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5)


def test_the_norm_of_the_paper_is_instance_norm():
    block = conv_block(3, 8, 0.2)
    maps = torch.randn(2, 8, 6, 5, generator=torch.Generator().manual_seed(2)) * 3 + 1
    torch.testing.assert_close(block[1](maps), torch.nn.InstanceNorm2d(8)(maps))
    assert not list(block[1].parameters())


def test_configs_name_channels_last_where_the_norm_is_batch_norm():
    cfg = Config.fromfile('configs/recommended_semi.py')
    assert cfg.model.channels_last
    assert 'channels_last' not in Config.fromfile('configs/semi_vgg.py').model
