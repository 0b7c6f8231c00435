"""One encoder, two answers: the model that joins them."""

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.models.losses import patient_label_loss
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4, 4, 4)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)


def tiny_model(**changes):
    settings = dict(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )
    return MultiTaskModel(**{**settings, **changes})


def sample(**known):
    return CTSample(metainfo=dict(sample_id='case/0', is_labelled=True), **known)


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


def test_the_model_uses_whatever_each_sample_carries():
    model, images = tiny_model(), torch.rand(3, 1, 32, 32)
    samples = [
        sample(label=torch.tensor(0), infection=torch.zeros(1, 32, 32, dtype=torch.uint8)),
        sample(label=torch.tensor(2)),
        sample(pseudo_mask=torch.rand(1, 32, 32)),
    ]
    assert set(model.loss(images, samples)) == {
        'loss_ce',
        'loss_cam',
        'loss_s',
        'loss_u',
        'u_excess',
    }
    assert set(model.loss(images, samples[1:2] * 3)) == {'loss_ce', 'loss_cam'}


def test_the_terms_are_weighted_by_beta_gamma_and_eta():
    images, mask = torch.rand(2, 1, 32, 32), torch.rand(1, 32, 32)
    samples = [sample(label=torch.tensor(1), infection=mask), sample(pseudo_mask=mask)]
    plain = tiny_model(loss_weights=dict(beta=1, gamma=1, eta=1))
    weighted = tiny_model(loss_weights=dict(beta=2, gamma=3, eta=4))
    weighted.load_state_dict(plain.state_dict())
    for name, factor in (('loss_ce', 2), ('loss_cam', 2), ('loss_s', 3), ('loss_u', 4)):
        torch.testing.assert_close(
            weighted.loss(images, samples)[name], factor * plain.loss(images, samples)[name]
        )


def test_every_kind_of_sample_has_its_own_term_and_weight():
    """Five kinds of samples, each term worked out by its own loss."""
    model = tiny_model(loss_weights=dict(beta=2, gamma=3, eta=4, beta_u=6, cam=0.5))
    images, mask = torch.rand(5, 1, 32, 32), torch.rand(1, 32, 32)
    samples = [
        sample(label=torch.tensor(1)),
        sample(pseudo_label=torch.tensor(0)),
        sample(patient_label=torch.tensor(2)),
        sample(infection=mask),
        sample(pseudo_mask=1 - mask),
    ]
    losses = model.loss(images, samples)
    feats = [model.features(images[i : i + 1]) for i in range(5)]
    head = model.cls_head
    expected = dict(
        loss_ce=2 * head.loss(feats[0], torch.tensor([1]))['ce'],
        loss_cam=2 * 0.5 * head.loss(feats[0], torch.tensor([1]))['cam'],
        loss_ce_u=6 * head.loss(feats[1], torch.tensor([0]))['ce'],
        loss_cam_u=6 * 0.5 * head.loss(feats[1], torch.tensor([0]))['cam'],
        loss_ce_p=2 * patient_label_loss(head(feats[2]), torch.tensor([2])),
        loss_s=3 * model.segmentation_loss(feats[3], mask[None]),
        loss_u=4 * model.segmentation_loss(feats[4], 1 - mask[None]),
    )
    expected['u_excess'] = expected['loss_u'] / 4 - model.mask_loss.lower_bound(1 - mask[None])
    assert list(losses) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


def test_weights_that_are_not_named_keep_the_papers_values():
    weights = dict(beta=1.0, gamma=5.0, eta=5.0, beta_u=1.0, cam=1.0)
    assert tiny_model().loss_weights == weights
    assert tiny_model(loss_weights=dict(eta=2)).loss_weights == {**weights, 'eta': 2}


def test_an_unknown_weight_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'delta'.*beta.*gamma.*eta.*beta_u.*cam"):
        tiny_model(loss_weights=dict(delta=1.0))
    with pytest.raises(TypeError, match='gamma'):
        tiny_model(gamma=5.0)


def test_a_cam_loss_of_weight_zero_is_not_computed(monkeypatch):
    model = tiny_model()
    cam_loss = model.cls_head.cam_loss
    monkeypatch.setattr(cam_loss, 'forward', lambda *_: pytest.fail('it was computed'))
    model.loss_weights['cam'] = 0.0
    losses = model.loss(torch.rand(1, 1, 32, 32), [sample(label=torch.tensor(1))])
    assert set(losses) == {'loss_ce'}


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


def test_score_maps_are_compared_with_masks_where_a_mask_is_known():
    head = dict(type='MultiScaleCAMHead', map_weight=2.0)
    model, images = tiny_model(cls_head=head), torch.rand(2, 1, 32, 32)
    mask = torch.ones(1, 32, 32, dtype=torch.uint8)
    known, unknown = sample(label=torch.tensor(2), infection=mask), sample(label=torch.tensor(2))
    losses = model.loss(images, [known, unknown])
    alone = model.cls_head.loss(model.features(images[:1]), torch.tensor([2]), mask[None].float())[
        'map'
    ]
    torch.testing.assert_close(losses['loss_map'], alone)
    assert 'loss_map' not in model.loss(images, [unknown, unknown])


def test_what_is_logged_beside_the_losses_is_not_learned():
    model, images = tiny_model(), torch.rand(1, 1, 32, 32)
    losses = model.loss(images, [sample(pseudo_mask=torch.rand(1, 32, 32))])
    total, logged = model.parse_losses(losses)
    torch.testing.assert_close(total, losses['loss_u'])
    assert 0 < logged['u_excess'] < losses['loss_u'] and not losses['u_excess'].requires_grad


@pytest.mark.parametrize('part', ['cls_head', 'decode_head'])
def test_what_the_network_cannot_compute_is_no_score_but_an_error_with_the_slice(part):
    model = tiny_model().eval()
    for weight in getattr(model, part).parameters():
        weight.data.fill_(1e38)  # finite, and no sum of them is
    with pytest.raises(ValueError, match='NaN or infinity of slice case/0: its weights are spoilt'):
        model(torch.rand(1, 1, 32, 32), [sample()], mode='predict')


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
