"""Pseudo-Label: the network teaches itself the classes that it sees."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from xaicovid_mm.engine.hooks import PseudoClassHook
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.structures import CTSample


@pytest.fixture
def runner():
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    model = MultiTaskModel(backbone=dict(type='VGG16', base=2), cls_head=dict(type='PooledHead'))
    model.cls_head.layers[-1].bias.data = torch.tensor([0.0, 5.0, 0.0])  # sure of CAP
    return SimpleNamespace(model=model, iter=20, train_dataloader=range(10))


def batch():
    def sample(number):
        known = dict(label=torch.tensor(0)) if number < 2 else {}
        return CTSample(metainfo=dict(is_labelled=number < 2), **known)

    strong, weak = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    samples = [sample(number) for number in range(4)]
    return dict(inputs=list(strong), weak_inputs=list(weak), data_samples=samples)


@pytest.mark.parametrize('epoch, weight', [(0, 0), (1.9, 0), (2, 0), (3, 0.75), (6, 3), (60, 3)])
def test_the_weight_grows_in_a_line_between_two_epochs(epoch, weight):
    assert PseudoClassHook(begin=2, end=6).ramp(epoch) == pytest.approx(weight)


def test_unlabelled_slices_learn_the_class_that_is_seen_in_their_weak_view(runner):
    data = batch()
    weak = list(data['weak_inputs'])
    PseudoClassHook(begin=0, end=4).before_train_iter(runner, 0, data)
    assert [s.get('pseudo_label') for s in data['data_samples']] == [None, None, 1, 1]
    assert all(a is b for a, b in zip(data['inputs'], weak, strict=True))
    assert (
        runner.model.loss_weights['beta_u'] == pytest.approx(3 * 2 / 4)
        and 'weak_inputs' not in data
    )

    inputs = torch.stack(data['inputs'])
    losses = runner.model.loss(inputs, data['data_samples'])
    ones = torch.tensor([1, 1])
    alone = runner.model.cls_head.loss(runner.model.backbone(inputs[2:]), ones)
    runner.model.eval()
    assert set(losses) == {'loss_ce', 'loss_ce_u'}
    torch.testing.assert_close(losses['loss_ce_u'], 1.5 * alone['ce'])


def test_before_its_begin_unlabelled_slices_leave_the_batch(runner):
    data = batch()
    PseudoClassHook(begin=3, end=4).before_train_iter(runner, 0, data)
    assert len(data['inputs']) == len(data['data_samples']) == 2


def test_slices_in_doubt_are_left_out(runner):
    data = batch()
    PseudoClassHook(begin=0, end=4, confidence=0.999).before_train_iter(runner, 0, data)
    assert len(data['inputs']) == 2


def test_slices_in_doubt_still_count_in_the_mean(runner, monkeypatch):
    """One sure slice of two: the mean over both is half of the sure one's loss."""
    data = batch()
    logits = torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.1, 0.0]])
    monkeypatch.setattr(runner.model, 'classify', lambda feats: logits)
    PseudoClassHook(begin=0, end=0, weight=3, confidence=0.9).before_train_iter(runner, 0, data)
    assert [s.get('pseudo_label') for s in data['data_samples']] == [None, None, 1]
    assert runner.model.loss_weights['beta_u'] == pytest.approx(1.5)


@pytest.mark.parametrize(
    'wrong', [dict(begin=2, end=1), dict(begin=-1, end=1), dict(begin=0, end=1, confidence=1)]
)
def test_values_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match='begin|confidence'):
        PseudoClassHook(**wrong)


def test_a_batch_without_weak_views_is_refused(runner):
    with pytest.raises(KeyError, match='two_views=True'):
        PseudoClassHook(0, 1).before_train_iter(runner, 0, dict(inputs=[], data_samples=[]))


def test_the_strong_view_learns_what_was_seen_in_the_weak_one(runner):
    data = batch()
    strong = list(data['inputs'])
    PseudoClassHook(begin=0, end=0, view='strong').before_train_iter(runner, 0, data)
    assert [s.get('pseudo_label') for s in data['data_samples']] == [None, None, 1, 1]
    assert all(a is b for a, b in zip(data['inputs'], strong, strict=True))


def test_another_view_is_refused():
    with pytest.raises(ValueError, match="view='plain': choose 'weak' or 'strong'"):
        PseudoClassHook(begin=0, end=0, view='plain')
