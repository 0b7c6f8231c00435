"""Fit the calibration of pseudo labels on slices with true masks, while a model trains."""

from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...explain.activation_maps import inside_lungs
from ...explain.pseudo_labeler import SOURCES
from ...models import EvidenceFusion, MultiTaskModel
from ...registry import HOOKS
from .pseudo_label_hook import PseudoLabelHook, pseudo_label_hook_of
from .pseudo_label_start import has_started
from .spread_slices import SpreadSlices

STATE = 'evidence_fusion'
"""Key in the message hub, which is saved with every checkpoint: the fitted weights and offset."""


@HOOKS.register_module()
class EvidenceFitHook(Hook):
    """Fit ``EvidenceFusion`` on the validation patients when pseudo labels start, and again.

    In this way the masks of these patients reach training, as five numbers. Their own scores are
    therefore a little too good; a test set's are not.

    Args:
        dataset: Config of slices with masks, as a rule those of the role 'val'.
        interval: Epochs between two fits.
        max_slices: Evenly spaced slices to fit on; default all.
        batch_size: Slices at a time.

    Raises:
        ValueError: If interval, max_slices or batch_size is below 1.
    """

    priority = 'VERY_LOW'  # after PseudoLabelHook has started

    def __init__(
        self,
        dataset: dict,
        interval: int = 2,
        max_slices: int | None = 200,
        batch_size: int = 8,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval={interval} must be 1 or more')
        self.interval = interval
        self.slices = SpreadSlices(dataset, max_slices, batch_size)
        self._last_epoch: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Take over what a resumed run had fitted.

        Raises:
            ValueError: If there is no ``PseudoLabelHook`` with an ``EvidenceFusion``.
        """
        _, fusion = _fusion(runner)
        if state := runner.message_hub.get_info(STATE):
            fusion.weights, fusion.offset = list(state['weights']), state['offset']
            self._last_epoch = state['epoch']

    def before_train_epoch(self, runner: Runner) -> None:
        """Fit if pseudo labels teach and the last fit is ``interval`` epochs ago."""
        due = self._last_epoch is None or runner.epoch - self._last_epoch >= self.interval
        if has_started(runner) and due:
            self.fit(runner)

    def fit(self, runner: Runner) -> None:
        """Fit now, on the first rank, for all ranks."""
        hook, fusion = _fusion(runner)
        if is_main_process():
            summary = fusion.fit(*self._pixels(hook, hook.teaching(runner)))
            runner.logger.info(
                f'pseudo labels are calibrated on {len(self.slices)} slices: {summary}'
            )
        shared: list[Any] = [(fusion.weights, fusion.offset)]
        broadcast_object_list(shared)
        fusion.weights, fusion.offset = shared[0]
        self._last_epoch = runner.epoch
        state = dict(weights=fusion.weights, offset=fusion.offset, epoch=runner.epoch)
        runner.message_hub.update_info(STATE, state)

    def _pixels(
        self, hook: PseudoLabelHook, model: MultiTaskModel
    ) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Logits (N, 4), masks (N,) and patients (N,) of the pixels inside the lungs."""
        logits, masks, patients = [np.zeros((0, len(SOURCES)), np.float32)], [np.zeros(0, bool)], []
        for samples, images in self.slices.batches(model):
            sources = hook.labeler.sources(model, images, evidence_from='none', every=True)
            maps = hook.labeler.calibration.logits(*(sources[name] for name in SOURCES))
            inside = inside_lungs(images)[:, 0]
            for sample, values, lung in zip(samples, maps, inside, strict=True):
                if 'infection' in sample:
                    logits.append(values[:, lung].T.cpu().numpy())
                    masks.append(sample.infection[0].to(torch.bool).numpy()[lung.cpu().numpy()])
                    patients += [sample.patient] * len(masks[-1])
        return np.concatenate(logits), np.concatenate(masks), patients


def _fusion(runner: Runner) -> tuple[PseudoLabelHook, EvidenceFusion]:
    hook = pseudo_label_hook_of(runner)
    fusion = getattr(hook.labeler, 'calibration', None) if hook else None
    if hook and isinstance(fusion, EvidenceFusion):
        return hook, fusion
    raise ValueError(
        'EvidenceFitHook needs a PseudoLabelHook whose labeler has '
        "calibration=dict(type='EvidenceFusion'): add one or leave the hook out"
    )
