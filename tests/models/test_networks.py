"""Encoder, heads, decoder and the model that joins them."""

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.models import (
    CTDataPreprocessor,
    MultiScaleCAMHead,
    MultiScaleVGG,
    MultiTaskModel,
    UNetDecodeHead,
)
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4, 4, 4)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)


def tiny_model(**changes):
    settings = dict(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead', in_channels=WIDTHS[2:]),
        decode_head=dict(type='UNetDecodeHead', in_channels=WIDTHS),
    )
    return MultiTaskModel(**{**settings, **changes})


def sample(**known):
    return CTSample(metainfo=dict(sample_id='case/0', is_labelled=True), **known)


def size_of(module):
    return sum(p.numel() for p in module.parameters())


def test_the_encoder_has_the_papers_shapes_and_number_of_weights():
    vgg = MultiScaleVGG(in_channels=1)
    with torch.no_grad():
        shapes = [tuple(f.shape) for f in vgg(torch.rand(1, 1, 224, 224))]
    assert shapes == [(1, 128, 56, 56), (1, 256, 28, 28), (1, 256, 14, 14)]
    assert size_of(vgg) == 3_677_472
    assert size_of(MultiScaleCAMHead()) == 1_929
    assert size_of(UNetDecodeHead()) == 2_543_649


def test_the_encoder_hardly_knows_the_contrast_of_a_slice():
    vgg, x = MultiScaleVGG(widths=WIDTHS).eval(), torch.rand(1, 1, 64, 64)
    far, near = vgg(x)[-1], vgg(0.5 * x)[-1]
    torch.testing.assert_close(far, near, atol=0.02, rtol=0.02)


def test_a_model_may_do_without_either_head_but_not_without_both():
    labelled = sample(label=torch.tensor(2), infection=torch.ones(1, 32, 32))
    for missing, kept in (('cls_head', 'loss_s'), ('decode_head', 'loss_ce')):
        model = tiny_model(**{missing: None})
        losses = model(torch.rand(1, 1, 32, 32), [labelled], mode='loss')
        assert kept in losses and losses.keys() <= {kept, 'loss_cam'}
        (found,) = model(torch.rand(1, 1, 32, 32), [sample()], mode='predict')
        assert ('scores' in found, 'prob' in found) == (
            missing != 'cls_head',
            missing == 'cls_head',
        )
    with pytest.raises(ValueError, match='cls_head and decode_head'):
        tiny_model(cls_head=None, decode_head=None)


def test_another_norm_runs_through_encoder_and_decoder():
    norm = dict(type='BN', eps=1e-3)
    vgg = MultiScaleVGG(widths=WIDTHS, out_stages=(1, 2, 3, 4, 5), norm_cfg=norm)
    decoder = UNetDecodeHead(in_channels=WIDTHS, norm_cfg=norm)
    kinds = {type(m) for m in (*vgg.modules(), *decoder.modules()) if hasattr(m, 'eps')}
    assert kinds == {torch.nn.BatchNorm2d}
    assert decoder(vgg(torch.rand(2, 1, 32, 32))).shape == (2, 1, 32, 32)


@pytest.mark.parametrize('side', [16, 40, 33])
def test_the_encoder_refuses_sides_it_cannot_halve(side):
    with pytest.raises(ValueError, match=f'{side}.*multiples of 16'):
        MultiScaleVGG(widths=WIDTHS)(torch.rand(1, 1, side, side))


@pytest.mark.parametrize('wrong', [dict(depths=(2, 2)), dict(out_stages=(3, 6))])
def test_the_encoder_refuses_stages_that_do_not_exist(wrong):
    with pytest.raises(ValueError):
        MultiScaleVGG(widths=WIDTHS, **wrong)


def test_logits_are_the_summed_maxima_of_the_score_maps():
    head = MultiScaleCAMHead((3, 3, 3), num_classes=3)
    for classify in head.classifiers:  # class score maps become the features themselves
        classify.weight.data = torch.eye(3)[:, :, None, None]
        classify.bias.data.zero_()
    feats = [
        torch.tensor([[[[0.0, 1], [2, -1]], [[1, 1], [0, 0]], [[-3, -2], [-5, -4]]]]),
        torch.tensor([[[[0.5]], [[1.5]], [[2.0]]]]),
        torch.tensor([[[[1.0, 0]], [[0, 2]], [[3, 1]]]]),
    ]
    assert head(feats)[0].tolist() == [3.5, 4.5, 3.0]
    head.cam_loss_active = False
    assert head.loss(feats, torch.tensor([1]))['ce'].item() == pytest.approx(0.4643687841)


def test_the_cam_is_the_score_map_without_its_bias():
    head = MultiScaleCAMHead((4,), in_index=(0,), alphas=(5,))
    feats = [torch.randn(2, 4, 3, 3)]
    labels = torch.tensor([2, 0])
    scores = head.classifiers[0](feats[0])[torch.arange(2), labels]
    bias = head.classifiers[0].bias[labels][:, None, None]
    torch.testing.assert_close(head.class_maps(feats, labels)[0], scores - bias)


@pytest.mark.parametrize('pool', ['max', 'avg', 'lse'])
def test_every_pooling_of_a_constant_map_is_that_constant(pool):
    head = MultiScaleCAMHead((4,), in_index=(0,), alphas=(5,), pool=pool)
    flat = torch.ones(1, 4, 3, 3)
    expected = head.classifiers[0](flat)[:, :, 0, 0]
    torch.testing.assert_close(head([flat]), expected)


def test_the_cam_loss_counts_only_from_its_start():
    head, feats = MultiScaleCAMHead((2, 2, 2)), [torch.rand(1, 2, 4, 4)] * 3
    head.cam_loss_active = False
    assert set(head.loss(feats, torch.tensor([0]))) == {'ce'}
    head.cam_loss_active = True
    assert set(head.loss(feats, torch.tensor([0]))) == {'ce', 'cam'}


def test_three_equal_scales_cost_three_times_alpha_times_one():
    head = MultiScaleCAMHead((2, 2, 2), num_classes=1, alphas=(5, 5, 5))
    features = torch.tensor([[[[1.0, 2], [4, 3]], [[0, 3], [1, 2.5]]]])
    for classify in head.classifiers:
        classify.weight.data = torch.tensor([[1.0, -1.0]])[:, :, None, None]
    loss = head.loss([features] * 3, torch.tensor([0]))['cam']
    assert loss.item() == pytest.approx(8.66875 - 0.7)


@pytest.mark.parametrize('wrong', [dict(alphas=(5, 5)), dict(pool='median')])
def test_the_head_names_what_does_not_fit(wrong):
    with pytest.raises(ValueError):
        MultiScaleCAMHead(**wrong)


def test_the_model_uses_whatever_each_sample_carries():
    model, images = tiny_model(), torch.rand(3, 1, 32, 32)
    samples = [
        sample(label=torch.tensor(0), infection=torch.zeros(1, 32, 32, dtype=torch.uint8)),
        sample(label=torch.tensor(2)),
        sample(pseudo_mask=torch.rand(1, 32, 32)),
    ]
    assert set(model.loss(images, samples)) == {'loss_ce', 'loss_cam', 'loss_s', 'loss_u'}
    assert set(model.loss(images, samples[1:2] * 3)) == {'loss_ce', 'loss_cam'}


def test_the_terms_are_weighted_by_beta_gamma_and_eta():
    images, mask = torch.rand(2, 1, 32, 32), torch.rand(1, 32, 32)
    samples = [sample(label=torch.tensor(1), infection=mask), sample(pseudo_mask=mask)]
    plain = tiny_model(beta=1, gamma=1, eta=1)
    weighted = tiny_model(beta=2, gamma=3, eta=4)
    weighted.load_state_dict(plain.state_dict())
    for name, factor in (('loss_ce', 2), ('loss_cam', 2), ('loss_s', 3), ('loss_u', 4)):
        torch.testing.assert_close(
            weighted.loss(images, samples)[name], factor * plain.loss(images, samples)[name]
        )


def test_mask_losses_never_reach_the_classifier_nor_class_losses_the_decoder():
    model, images = tiny_model(), torch.rand(2, 1, 32, 32)
    samples = [sample(label=torch.tensor(1)), sample(pseudo_mask=torch.rand(1, 32, 32))]
    losses = model.loss(images, samples)
    losses['loss_u'].backward(retain_graph=True)
    assert all(p.grad is None for p in model.cls_head.parameters())
    assert all(p.grad.any() for p in model.decode_head.parameters())
    model.zero_grad(set_to_none=True)
    (losses['loss_ce'] + losses['loss_cam']).backward()
    assert all(p.grad is None for p in model.decode_head.parameters())


def test_predict_gives_probabilities():
    model = tiny_model().eval()
    with torch.no_grad():
        (found,) = model(torch.rand(1, 1, 32, 32), [sample()], mode='predict')
    assert found.scores.sum().item() == pytest.approx(1)
    assert found.prob.shape == (1, 32, 32) and 0 <= found.prob.min() and found.prob.max() <= 1


def test_a_model_without_decoder_classifies():
    model = tiny_model(decode_head=None)
    (found,) = model(torch.rand(1, 1, 32, 32), [sample()], mode='predict')
    assert 'scores' in found and 'prob' not in found


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match='train'):
        tiny_model()(torch.rand(1, 1, 32, 32), mode='train')


def test_slices_of_several_sizes_are_named():
    data = dict(
        inputs=[torch.zeros(1, 32, 32), torch.zeros(1, 16, 16)],
        data_samples=[
            CTSample(metainfo=dict(sample_id='a/0')),
            CTSample(metainfo=dict(sample_id='b/7')),
        ],
    )
    with pytest.raises(ValueError, match='b/7'):
        CTDataPreprocessor()(data)


def test_slices_that_hold_nan_are_named():
    data = dict(
        inputs=[torch.zeros(1, 8, 8), torch.full((1, 8, 8), float('nan'))],
        data_samples=[
            CTSample(metainfo=dict(sample_id='a/0')),
            CTSample(metainfo=dict(sample_id='b/7')),
        ],
    )
    with pytest.raises(ValueError, match='b/7'):
        CTDataPreprocessor()(data)
