"""When pseudo labels begin to teach: the condition of Algorithm 1."""

import numpy as np
from mmengine.runner import Runner

from ...classes import CLASSES

STARTED_AT = 'pseudo_labels_started_at'
"""Key in the message hub, which is saved with every checkpoint: the iteration of the start."""


class PseudoLabelStart:
    """Start pseudo labels once, when validation is good enough or at an epoch; they never stop.

    Args:
        start_when: Validation metrics and the values that they must all reach: the baselines of
            Algorithm 1, measured on the same validation patients.
        start_epoch: Start at this epoch at the latest, counted from 0; not in the paper.
        ramp_epochs: Epochs over which the weight then grows from 0 to 1; not in the paper.

    Raises:
        ValueError: If neither ``start_when`` nor ``start_epoch`` is given.
    """

    def __init__(
        self,
        start_when: dict[str, float] | None = None,
        start_epoch: int | None = None,
        ramp_epochs: int = 0,
    ) -> None:
        if not start_when and start_epoch is None:
            raise ValueError(
                'pseudo labels would never start: give start_when, start_epoch, or both'
            )
        self.start_when = dict(start_when or {})
        self.start_epoch, self.ramp_epochs = start_epoch, ramp_epochs

    def check(self, runner: Runner) -> None:
        """Refuse metrics that validation will not give, before the first step.

        Raises:
            ValueError: If ``start_when`` has a value above 1, there is no validation, or its slices
                are of too few classes for a metric of it.
            KeyError: If validation does not give one of its metrics.
        """
        if not self.start_when:
            return
        if high := {name: value for name, value in self.start_when.items() if value > 1}:
            raise ValueError(
                f'start_when={high}: scores lie in 0 to 1, so pseudo labels would never start by '
                'them: 0.6 is 60 %'
            )
        if runner.val_loop is None:
            raise ValueError(f'start_when={self.start_when} needs a val_dataloader; there is none')
        metrics = runner.val_loop.evaluator.metrics
        if all(hasattr(metric, 'names') for metric in metrics):
            loader = getattr(runner.val_loop, 'dataloader', None)
            labels = loader and getattr(loader.dataset, 'labels', None)
            names = {name for metric in metrics for name in metric.names(labels)}
            if absent := self.start_when.keys() - names:
                self._refuse_classes(absent & {n for m in metrics for n in m.names()}, labels)
            self._check_names(names)

    def _refuse_classes(self, absent: set[str], labels: np.ndarray) -> None:
        """Refuse metrics that need more classes than the validation slices have."""
        if absent:
            names = [CLASSES[label] for label in np.unique(labels[labels >= 0])]
            raise ValueError(
                f'start_when names {sorted(absent)}, which validation slices of {names} alone '
                'cannot give: set start_when=None and start_epoch, or validate on several classes'
            )

    def after_validation(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Start if every metric of ``start_when`` is reached (Algorithm 1, line 3).

        Raises:
            KeyError: If validation does not give one of them.
        """
        self._check_names(set(metrics))
        if self.start_when and all(metrics[k] >= v for k, v in self.start_when.items()):
            _start(runner, f'validation reached {self.start_when}')

    def before_epoch(self, runner: Runner) -> None:
        """Start if ``start_epoch`` is reached."""
        if self.start_epoch is not None and runner.epoch >= self.start_epoch:
            _start(runner, f'epoch {self.start_epoch}')

    def ramp(self, runner: Runner) -> float:
        """Return the share of eta that counts in this iteration, in [0, 1]; 0 before the start."""
        if not self.ramp_epochs or not has_started(runner):
            return float(has_started(runner))
        iterations = runner.iter - runner.message_hub.get_info(STARTED_AT)
        return min(iterations / (self.ramp_epochs * len(runner.train_dataloader)), 1.0)

    def _check_names(self, available: set[str]) -> None:
        if missing := self.start_when.keys() - available:
            raise KeyError(
                f'start_when names {sorted(missing)}, validation gives {sorted(available)}: '
                'name one of those'
            )


def has_started(runner: Runner) -> bool:
    """Whether pseudo labels teach."""
    return runner.message_hub.get_info(STARTED_AT) is not None


def _start(runner: Runner, reason: str) -> None:
    if not has_started(runner):
        runner.message_hub.update_info(STARTED_AT, runner.iter)
        runner.logger.info(f'pseudo labels are on from epoch {runner.epoch}: {reason}')
