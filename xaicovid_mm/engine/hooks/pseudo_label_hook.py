"""Algorithm 1 as a runner hook."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ...models import MultiTaskModel
from ...registry import HOOKS, TASK_UTILS
from ...structures import CTSample

ACTIVE = 'pseudo_label_active'
"""Key of the gate in the message hub, which is saved with every checkpoint."""


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Write calibrated pseudo masks into the batch before each iteration (Algorithm 1).

    Until the gate opens, unlabelled slices leave the batch: nothing is known about them. From then
    on each carries a ``pseudo_mask``. Once open the gate stays open. Both ways of opening may be
    given; the first that comes counts.

    In the weakly supervised setting unlabelled samples come with a class. It is learned from the
    plain view, which joins the batch as a further slice; the strong view learns the mask only.

    Args:
        labeler: Config of the ``PseudoLabeler``.
        start_when: Validation metrics and the values they must all reach: the baselines of
            Algorithm 1, measured on the same validation patients.
        start_epoch: Open at this epoch (counted from 0) at the latest.

    Raises:
        ValueError: If neither way of opening is given.
    """

    priority = 'LOW'

    def __init__(
        self,
        labeler: dict,
        start_when: dict[str, float] | None = None,
        start_epoch: int | None = None,
    ) -> None:
        if not start_when and start_epoch is None:
            raise ValueError('the gate would never open: give start_when, start_epoch, or both')
        self.labeler = TASK_UTILS.build(labeler)
        self.start_when = dict(start_when or {})
        self.start_epoch = start_epoch

    def before_train(self, runner: Runner) -> None:
        """Refuse a run whose gate cannot open or whose loss would turn background into lesion.

        Raises:
            ValueError: If ``start_when`` has no validation to read, or the background weight of
                the mask loss is too small for the soft labels of this calibration.
        """
        if self.start_when and runner.val_loop is None:
            raise ValueError(f'start_when={self.start_when} needs a val_dataloader; there is none')
        weight = _unwrapped(runner).mask_loss.bg_weight
        floor = self.labeler.calibration.background_floor()
        if weight / (1 + weight) <= floor:
            raise ValueError(
                f'bg_weight={weight} moves the decision to a soft label of '
                f'{weight / (1 + weight):.3f}, but agreed background is labelled {floor:.3f}: '
                f'raise bg_weight above {floor / (1 - floor):.3f} or lower the temperature'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Open the gate when the metrics of ``start_when`` are reached (Algorithm 1, line 3).

        Raises:
            KeyError: If validation does not give one of them.
        """
        metrics = metrics or {}
        if missing := self.start_when.keys() - metrics.keys():
            raise KeyError(
                f'start_when names {sorted(missing)}, validation gave {sorted(metrics)}: '
                'name one of those'
            )
        if self.start_when and all(metrics[k] >= v for k, v in self.start_when.items()):
            self._open(runner, f'validation reached {self.start_when}')

    def before_train_epoch(self, runner: Runner) -> None:
        """Open the gate at its epoch."""
        if self.start_epoch is not None and runner.epoch >= self.start_epoch:
            self._open(runner, f'epoch {self.start_epoch}')

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
        kept = [i for i, sample in enumerate(samples) if sample.is_labelled]
        views = [(weak[i], _class_only(samples[i])) for i in rows if 'label' in samples[i]]
        if rows and runner.message_hub.get_info(ACTIVE, False):
            self._label(_unwrapped(runner), [weak[i] for i in rows], [samples[i] for i in rows])
            kept += rows
        data_batch['inputs'] = [data_batch['inputs'][i] for i in kept] + [v for v, _ in views]
        data_batch['data_samples'] = [samples[i] for i in kept] + [s for _, s in views]

    def _label(
        self, model: MultiTaskModel, weak: list[torch.Tensor], samples: list[CTSample]
    ) -> None:
        images = model.data_preprocessor({'inputs': weak, 'data_samples': samples})['inputs']
        labels = [sample.pop('label', None) for sample in samples]
        known = None if None in labels else torch.stack(labels).to(images.device)
        for sample, mask in zip(samples, self.labeler(model, images, known), strict=True):
            sample.pseudo_mask = mask

    @staticmethod
    def _open(runner: Runner, reason: str) -> None:
        if not runner.message_hub.get_info(ACTIVE, False):
            runner.message_hub.update_info(ACTIVE, True)
            runner.logger.info(f'pseudo labels are on from epoch {runner.epoch}: {reason}')


def _class_only(sample: CTSample) -> CTSample:
    return CTSample(metainfo=sample.metainfo, label=sample.label)


def _unwrapped(runner: Runner) -> MultiTaskModel:
    """The bare model: a forward through the wrapper would re-arm its gradient reducer."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
