"""Algorithm 1 as a runner hook."""

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from ...datasets import PasteBoxes
from ...models import MultiTaskModel
from ...registry import HOOKS, TASK_UTILS
from ...structures import CTSample
from ...utils.model import unwrap_model
from .pseudo_label_start import PseudoLabelStart, has_started


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Write calibrated pseudo masks into the batch before each iteration (Algorithm 1).

    Until pseudo labels start, unlabelled slices leave the batch: nothing is known about them. From
    then on each carries a ``pseudo_mask``.

    In the weakly supervised setting unlabelled samples come with a class. It is learned from the
    weak view, which joins the batch as a further slice; the strong view learns the mask only.

    Args:
        labeler: Config of the ``PseudoLabeler``.
        teacher: The network that is explained: 'self', the one that is trained, as it is (the
            paper), or 'ema', the average that mmengine's ``EMAHook`` keeps.
        start_when: Start at these validation metrics, see ``PseudoLabelStart``.
        start_epoch: Start at this epoch at the latest, counted from 0.
        ramp_epochs: Epochs over which eta then grows to its full value.
        paste: Config of ``PasteBoxes``, which mixes the strong views; default none, as in the
            paper.
        slice_noise: Only the patient's class y of an unlabelled slice is known, and the slice may
            show y or nothing: its loss is -log(p_y + p_NP), see ``patient_label_loss``. Not in the
            paper.

    Raises:
        ValueError: For another ``teacher``, or if pseudo labels would never start.
    """

    priority = 'LOW'

    def __init__(
        self,
        labeler: dict,
        teacher: str = 'self',
        start_when: dict[str, float] | None = None,
        start_epoch: int | None = None,
        ramp_epochs: int = 0,
        paste: dict | None = None,
        slice_noise: bool = False,
    ) -> None:
        if teacher not in ('self', 'ema'):
            raise ValueError(f"teacher={teacher!r}: choose 'self' or 'ema'")
        self.labeler = TASK_UTILS.build(labeler)
        self.teacher = teacher
        self.paste: PasteBoxes | None = TASK_UTILS.build(paste) if paste else None
        self.class_field = 'patient_label' if slice_noise else 'label'
        self.start = PseudoLabelStart(start_when, start_epoch, ramp_epochs)

    def before_train(self, runner: Runner) -> None:
        """Refuse a run that cannot start, or whose loss would turn background into lesion.

        Raises:
            ValueError: If ``start_when`` has no validation to read, there is no average for
                ``teacher='ema'``, or the background weight of the mask loss is too small for this
                calibration's soft labels.
            KeyError: If validation does not give a metric of ``start_when``.
        """
        self.start.check(runner)
        self.teaching(runner)
        model = unwrap_model(runner.model)
        _warn_of_log_rule(runner, self.labeler, model)
        _warn_of_lagging_statistics(runner, self.teacher, model)
        self._eta = model.loss_weights['eta']
        weight = model.mask_loss.min_bg_weight
        floor = self.labeler.calibration.background_floor()
        if weight / (1 + weight) <= floor:
            raise ValueError(
                f'bg_weight={weight} moves the decision to a soft label of '
                f'{weight / (1 + weight):.3f}, but agreed background is labelled {floor:.3f}: '
                f'raise bg_weight above {floor / (1 - floor):.3f} or lower the temperature'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Start pseudo labels if the validation metrics are good enough."""
        self.start.after_validation(runner, metrics or {})

    def before_train_epoch(self, runner: Runner) -> None:
        """Start pseudo labels if this is the epoch."""
        self.start.before_epoch(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Give unlabelled samples their pseudo mask, or take them out (Algorithm 1, line 2).

        Raises:
            KeyError: If the batch has no weak views.
        """
        if data_batch is None or 'weak_inputs' not in data_batch:
            raise KeyError(
                'the batch has no weak_inputs: use PackCTInputs(two_views=True) in the pipeline of '
                'a run with PseudoLabelHook'
            )
        weak, samples = data_batch.pop('weak_inputs'), data_batch['data_samples']
        rows = [i for i, sample in enumerate(samples) if not sample.is_labelled]
        keep = [i for i, sample in enumerate(samples) if sample.is_labelled]
        views = [(weak[i], self._class_only(samples[i])) for i in rows if 'label' in samples[i]]
        if rows and has_started(runner):
            weights = unwrap_model(runner.model).loss_weights
            weights['eta'] = self._eta * self.start.ramp(runner)
            self._label(self.teaching(runner), [weak[i] for i in rows], [samples[i] for i in rows])
            self._mix(runner, data_batch['inputs'], samples, rows)
            keep += rows
        data_batch['inputs'] = [data_batch['inputs'][i] for i in keep] + [v for v, _ in views]
        data_batch['data_samples'] = [samples[i] for i in keep] + [s for _, s in views]

    def teaching(self, runner: Runner) -> MultiTaskModel:
        """Return the network whose explanations become pseudo masks.

        Raises:
            ValueError: If ``teacher`` is 'ema' and there is no ``EMAHook``.
        """
        if self.teacher == 'self':
            return unwrap_model(runner.model)
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                return hook.ema_model.module
        raise ValueError(
            "teacher='ema' needs an average of the weights: add dict(type='AveragedTeacherHook') "
            'to custom_hooks'
        )

    def _label(
        self, model: MultiTaskModel, weak: list[torch.Tensor], samples: list[CTSample]
    ) -> None:
        images = model.data_preprocessor({'inputs': weak, 'data_samples': samples})['inputs']
        labels = [sample.pop('label', None) for sample in samples]
        known = None if None in labels else torch.stack(labels).to(images.device)
        for sample, mask in zip(samples, self.labeler(model, images, known), strict=True):
            sample.pseudo_mask = mask

    def _mix(
        self, runner: Runner, views: list[torch.Tensor], samples: list[CTSample], rows: list[int]
    ) -> None:
        """Paste boxes into the unlabelled views; seed, iteration and rank decide what is drawn."""
        if self.paste is None:
            return
        known = [i for i, s in enumerate(samples) if s.is_labelled and 'infection' in s]
        mixed = self.paste(
            [views[i] for i in rows],
            [samples[i].pseudo_mask for i in rows],
            [views[i] for i in known],
            [samples[i].infection for i in known],
            np.random.default_rng([runner.seed or 0, runner.iter, get_rank()]),
        )
        for i, view, mask in zip(rows, *mixed, strict=True):
            views[i], samples[i].pseudo_mask = view, mask

    def _class_only(self, sample: CTSample) -> CTSample:
        return CTSample(metainfo=sample.metainfo, **{self.class_field: sample.label})


def pseudo_label_hook_of(runner: Runner) -> PseudoLabelHook | None:
    """Return the hook that labels the slices of a run, None if there is none."""
    return next((hook for hook in runner.hooks if isinstance(hook, PseudoLabelHook)), None)


def _warn_of_log_rule(runner: Runner, labeler: object, model: MultiTaskModel) -> None:
    """Few log steps give the integral of Eq. (7) only where the network ignores a slice's scale."""
    saliency = getattr(labeler, 'saliency', None)
    if saliency is not None and saliency.rule == 'log' and _has_running_statistics(model):
        runner.logger.warning(
            f"saliency: rule='log' with steps={saliency.steps} gives Eq. (7) under instance norm "
            'alone, and this network has a norm with running statistics: set steps=8, '
            "rule='right'"
        )


def _warn_of_lagging_statistics(runner: Runner, teacher: str, model: MultiTaskModel) -> None:
    """An average of the weights does not fit the statistics of the last step."""
    copied = any(
        isinstance(hook, EMAHook) and not hook.ema_model.update_buffers for hook in runner.hooks
    )
    if teacher == 'ema' and copied and _has_running_statistics(model):
        runner.logger.warning(
            "teacher='ema' with a norm with running statistics: the average of the weights gets "
            'the statistics of the last step alone, which do not fit it: use AveragedTeacherHook'
        )


def _has_running_statistics(model: MultiTaskModel) -> bool:
    return any(getattr(module, 'running_mean', None) is not None for module in model.modules())
