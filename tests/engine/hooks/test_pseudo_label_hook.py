"""Algorithm 1."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import init_default_scope

from xaicovid_mm.engine.hooks import AveragedTeacherHook, PseudoLabelHook
from xaicovid_mm.engine.hooks.pseudo_label_start import has_started
from xaicovid_mm.evaluation.metrics import DiagnosisMetric, InfectionMetric
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.models.losses import patient_label_loss as patient_label_loss
from xaicovid_mm.structures import CTSample

WIDTHS = (2, 3, 4, 4, 4)
FLOORS = {'cls/auc_macro_slice': 0.8, 'seg/dice_slice_mean': 0.7}
REACHED = {'cls/auc_macro_slice': 0.8, 'seg/dice_slice_mean': 0.75, 'other': 0.0}


@pytest.fixture
def runner(request):
    init_default_scope('xaicovid_mm')
    torch.manual_seed(0)
    model = MultiTaskModel(
        backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=(1, 2, 3, 4, 5)),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )
    hub = MessageHub.get_instance(request.node.name)
    logger = MMLogger.get_current_instance()
    evaluator = SimpleNamespace(metrics=[InfectionMetric(), DiagnosisMetric()])
    return SimpleNamespace(
        model=model,
        message_hub=hub,
        epoch=0,
        iter=0,
        logger=logger,
        hooks=[],
        val_loop=SimpleNamespace(evaluator=evaluator),
        train_dataloader=range(5),
    )


def hook(labeler=None, **start):
    return PseudoLabelHook({'type': 'PseudoLabeler', **(labeler or {})}, **start)


def begun(runner, label_hook):
    label_hook.before_train(runner)
    label_hook.before_train_epoch(runner)
    return label_hook


def batch(weak_labels=False):
    def sample(number, labelled):
        meta = dict(sample_id=f'case/{number}', is_labelled=labelled)
        known = dict(label=torch.tensor(2)) if labelled or weak_labels else {}
        return CTSample(metainfo=meta, **known)

    strong, weak = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    return dict(
        inputs=list(strong),
        weak_inputs=list(weak),
        data_samples=[sample(i, labelled=i < 2) for i in range(4)],
    )


def test_pseudo_labels_that_would_never_start_are_refused():
    with pytest.raises(ValueError, match='start_when, start_epoch'):
        hook()


def test_metrics_that_one_class_cannot_give_are_refused_before_the_first_step(runner):
    def validate(*labels):
        dataset = SimpleNamespace(labels=np.array(labels))
        runner.val_loop.dataloader = SimpleNamespace(dataset=dataset)
        hook(start_when=FLOORS, start_epoch=3).before_train(runner)

    validate(2, 0, -1)
    with pytest.raises(ValueError, match=r"auc_macro_slice.*\['COVID-19'\] alone.*start_epoch"):
        validate(2, 2, -1)
    with pytest.raises(KeyError, match='cls/auc_typo'):
        hook(start_when={'cls/auc_typo': 1}).before_train(runner)


def test_metrics_without_validation_are_refused(runner):
    runner.val_loop = None
    with pytest.raises(ValueError, match='val_dataloader'):
        hook(start_when=FLOORS).before_train(runner)


def test_a_background_weight_that_turns_background_into_lesion_is_refused(runner):
    runner.model.mask_loss.bg_weight = 0.05
    literal = dict(calibration=dict(type='SharpenCombination', stretch=False))
    with pytest.raises(ValueError, match=r'bg_weight=0.05.*0.056.*above 0.059'):
        hook(literal, start_epoch=0).before_train(runner)
    hook(start_epoch=0).before_train(runner)  # stretched labels have no floor


@pytest.mark.parametrize(
    'norm, rule, warns', [('BN', 'log', True), ('IN', 'log', False), ('BN', 'right', False)]
)
def test_three_log_gradients_under_batch_norm_are_a_warning(runner, norm, rule, warns, monkeypatch):
    runner.model = MultiTaskModel(
        backbone=dict(
            type='MultiScaleVGG',
            widths=WIDTHS,
            out_stages=(1, 2, 3, 4, 5),
            norm_cfg=dict(type=norm),
        ),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )
    said = []
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    hook(dict(saliency=dict(steps=3, rule=rule)), start_epoch=0).before_train(runner)
    assert any("steps=8, rule='right'" in text for text in said) == warns


@pytest.mark.parametrize(
    'norm, own, warns', [('BN', False, True), ('BN', True, False), ('IN', False, False)]
)
def test_an_average_with_the_statistics_of_one_step_is_a_warning(
    runner, norm, own, warns, monkeypatch
):
    runner.model = MultiTaskModel(
        backbone=dict(
            type='MultiScaleVGG',
            widths=WIDTHS,
            out_stages=(1, 2, 3, 4, 5),
            norm_cfg=dict(type=norm),
        ),
        cls_head=dict(type='MultiScaleCAMHead'),
        decode_head=dict(type='UNetDecodeHead'),
    )
    average = AveragedTeacherHook() if own else EMAHook()
    average.before_run(runner)
    runner.hooks, said = [average], []
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    hook(dict(saliency=dict(steps=2)), start_epoch=0, teacher='ema').before_train(runner)
    assert any('AveragedTeacherHook' in text for text in said) == warns


def test_boxes_of_other_slices_are_pasted_with_their_masks(runner):
    runner.seed = 0
    data = batch()
    for sample in data['data_samples'][:2]:
        sample.infection = torch.ones(1, 32, 32, dtype=torch.uint8)
    strong = [view.clone() for view in data['inputs']]
    paste = dict(type='PasteBoxes', area=(0.2, 0.3), labelled=1.0)
    begun(runner, hook(start_epoch=0, paste=paste)).before_train_iter(runner, 0, data)
    for number in (2, 3):
        view, mask = data['inputs'][number], data['data_samples'][number].pseudo_mask
        changed = view != strong[number]
        assert 0.15 < changed.float().mean() < 0.35
        donors = [torch.equal(view[changed], strong[i][changed]) for i in (0, 1)]
        assert sum(donors) == 1 and (mask[changed] == 1).all()
    assert torch.equal(data['inputs'][0], strong[0])


@pytest.mark.parametrize('iteration, same', [(0, True), (1, False)])
def test_what_is_pasted_depends_on_seed_and_iteration_alone(runner, iteration, same):
    paste = dict(type='PasteBoxes', labelled=0.0)
    runner.seed, views = 0, []
    data = batch()
    for runner.iter in (0, iteration):
        again = {k: list(v) for k, v in data.items()}
        begun(runner, hook(start_epoch=0, paste=paste)).before_train_iter(runner, 0, again)
        views.append(torch.stack(again['inputs']))
    assert torch.equal(*views) == same


def test_a_batch_without_weak_views_is_refused(runner):
    with pytest.raises(KeyError, match='two_views=True'):
        hook(start_epoch=0).before_train_iter(runner, 0, dict(inputs=[], data_samples=[]))


def test_unlabelled_slices_leave_the_batch_before_the_start(runner):
    data = batch()
    hook(start_epoch=5).before_train_iter(runner, 0, data)
    assert set(data) == {'inputs', 'data_samples'}
    assert [s.is_labelled for s in data['data_samples']] == [True, True]
    assert len(data['inputs']) == 2


def test_unlabelled_slices_get_a_soft_mask_after_the_start(runner):
    data, strong = batch(), None
    strong = data['inputs'][2]
    label_hook = begun(runner, hook(start_epoch=0))
    label_hook.before_train_iter(runner, 0, data)
    assert ['pseudo_mask' in s for s in data['data_samples']] == [False, False, True, True]
    assert data['inputs'][2] is strong
    assert all(p.grad is None for p in runner.model.parameters())


@pytest.mark.parametrize(
    'metrics, starts', [(REACHED, True), ({**REACHED, 'seg/dice_slice_mean': 0.69}, False)]
)
def test_they_start_when_every_metric_reaches_its_baseline(runner, metrics, starts):
    hook(start_when=FLOORS).after_val_epoch(runner, metrics)
    assert has_started(runner) == starts


def test_what_has_started_does_not_stop(runner):
    label_hook = hook(start_when=FLOORS)
    label_hook.after_val_epoch(runner, REACHED)
    label_hook.after_val_epoch(runner, dict.fromkeys(FLOORS, 0.0))
    assert has_started(runner)


def test_the_first_of_epoch_and_metrics_starts_them(runner):
    label_hook = hook(start_when=FLOORS, start_epoch=3)
    runner.epoch = 2
    label_hook.before_train_epoch(runner)
    assert not has_started(runner)
    runner.epoch = 3
    label_hook.before_train_epoch(runner)
    assert has_started(runner)


def test_a_metric_that_validation_never_gives_stops_before_the_first_step(runner):
    with pytest.raises(KeyError, match='seg/dise.*seg/dice_slice_mean'):
        hook(start_when={'seg/dise': 0.5}).before_train(runner)
    hook(start_when=FLOORS).before_train(runner)


def test_a_share_that_is_given_in_percent_stops_before_the_first_step(runner):
    with pytest.raises(ValueError, match=r"'seg/dice_slice_mean': 60.*0\.6 is 60 %"):
        hook(start_when={'seg/dice_slice_mean': 60}).before_train(runner)
    hook(start_when={'seg/dice_slice_mean': 1}).before_train(runner)


def test_a_metric_of_an_unknown_evaluator_is_accepted_until_validation(runner):
    runner.val_loop.evaluator.metrics.append(object())
    label_hook = hook(start_when={'mIoU': 0.5})
    label_hook.before_train(runner)
    with pytest.raises(KeyError, match='mIoU'):
        label_hook.after_val_epoch(runner, {'seg/dice_slice_mean': 1.0})


def test_a_metric_that_validation_does_not_give_is_named_with_those_it_gives(runner):
    with pytest.raises(KeyError, match='seg/dice_slice_mean.*other'):
        hook(start_when=FLOORS).after_val_epoch(runner, dict(other=1.0))


def test_weak_labels_are_learned_from_the_weak_view(runner):
    data = batch(weak_labels=True)
    weak = data['weak_inputs'][2]
    label_hook = begun(runner, hook(start_epoch=0))
    label_hook.before_train_iter(runner, 0, data)
    fields = [sorted(s.keys()) for s in data['data_samples']]
    assert fields == [['label']] * 2 + [['pseudo_mask']] * 2 + [['label']] * 2
    assert data['inputs'][4] is weak


def test_the_class_of_a_weak_label_decides_on_the_evidence_of_its_slice(runner):
    data = batch(weak_labels=True)
    data['data_samples'][3].label = torch.tensor(0)
    label_hook = begun(runner, hook(dict(evidence_from='label', non_target='zero'), start_epoch=0))
    label_hook.before_train_iter(runner, 0, data)
    masks = [bool(sample.pseudo_mask.any()) for sample in data['data_samples'][2:4]]
    assert masks == [True, False]


def test_a_noisy_weak_label_is_learned_as_the_patients(runner):
    data = batch(weak_labels=True)
    label_hook = begun(runner, hook(start_epoch=0, slice_noise=True))
    label_hook.before_train_iter(runner, 0, data)
    fields = [sorted(s.keys()) for s in data['data_samples']]
    assert fields == [['label']] * 2 + [['pseudo_mask']] * 2 + [['patient_label']] * 2
    inputs = torch.stack(data['inputs'])
    losses = runner.model.loss(inputs, data['data_samples'])
    logits, patients = runner.model(inputs)[0][4:], torch.tensor([2, 2])
    torch.testing.assert_close(losses['loss_ce_p'], patient_label_loss(logits, patients))


def test_a_batch_without_unlabelled_slices_stays_as_it_is(runner):
    data = batch()
    data = {key: values[:2] for key, values in data.items()}
    inputs = list(data['inputs'])
    label_hook = begun(runner, hook(start_epoch=0))
    label_hook.before_train_iter(runner, 0, data)
    assert all(a is b for a, b in zip(data['inputs'], inputs, strict=True))
    assert 'weak_inputs' not in data


def test_a_metric_that_is_not_a_number_starts_nothing(runner):
    hook(start_when=FLOORS).after_val_epoch(runner, dict.fromkeys(FLOORS, float('nan')))
    assert not has_started(runner)


def test_eta_grows_over_the_ramp_to_what_the_config_says(runner):
    label_hook = begun(runner, hook(start_epoch=0, ramp_epochs=2))  # of 5 iterations each
    etas = []
    for runner.iter in (0, 1, 5, 10, 99):
        label_hook.before_train_iter(runner, 0, batch())
        etas.append(runner.model.loss_weights['eta'])
    assert etas == [0.0, 0.5, 2.5, 5.0, 5.0]


def test_an_average_teaches_where_one_is_asked_for_and_kept(runner):
    label_hook = hook(start_epoch=0, teacher='ema')
    with pytest.raises(ValueError, match='AveragedTeacherHook'):
        label_hook.before_train(runner)
    average = EMAHook()
    average.before_run(runner)
    runner.hooks.append(average)
    for weight in average.ema_model.module.decode_head.predict_logit.parameters():
        weight.data.fill_(50.0)  # the average is sure of infection everywhere
    data = {own: batch() for own in ('ema', 'self')}
    begun(runner, label_hook).before_train_iter(runner, 0, data['ema'])
    begun(runner, hook(start_epoch=0)).before_train_iter(runner, 0, data['self'])
    masks = {own: data[own]['data_samples'][2].pseudo_mask.mean() for own in data}
    assert masks['ema'] > masks['self'] + 0.05


def test_another_teacher_is_refused():
    with pytest.raises(ValueError, match='mentor'):
        hook(start_epoch=0, teacher='mentor')


def test_weak_labels_are_learned_before_the_start_too(runner):
    data = batch(weak_labels=True)
    hook(start_epoch=5).before_train_iter(runner, 0, data)
    assert len(data['inputs']) == 4 and all('label' in s for s in data['data_samples'])
