"""When pseudo labels begin to teach: the condition of Algorithm 1."""

from mmengine.runner import Runner

OPENED_AT = 'pseudo_labels_opened_at'
"""Iteration of the opening, in the message hub, which is saved with every checkpoint."""


class PseudoLabelStart:
    """Opens once, when validation is good enough or at an epoch, and stays open.

    Args:
        start_when: Validation metrics and the values they must all reach: the baselines of
            Algorithm 1, measured on the same validation patients.
        start_epoch: Open at this epoch (counted from 0) at the latest.
        ramp_epochs: Epochs over which the weight then grows from 0 to 1; not in the paper.

    Raises:
        ValueError: If neither way of opening is given.
    """

    def __init__(
        self,
        start_when: dict[str, float] | None = None,
        start_epoch: int | None = None,
        ramp_epochs: int = 0,
    ) -> None:
        if not start_when and start_epoch is None:
            raise ValueError('the gate would never open: give start_when, start_epoch, or both')
        self.start_when = dict(start_when or {})
        self.start_epoch, self.ramp_epochs = start_epoch, ramp_epochs

    def check(self, runner: Runner) -> None:
        """Refuse names that validation will not give, before a step is done.

        Raises:
            ValueError: If ``start_when`` has no validation to read.
            KeyError: If validation does not give one of its metrics.
        """
        if not self.start_when:
            return
        if runner.val_loop is None:
            raise ValueError(f'start_when={self.start_when} needs a val_dataloader; there is none')
        metrics = runner.val_loop.evaluator.metrics
        if all(hasattr(metric, 'names') for metric in metrics):
            self._compare({name for metric in metrics for name in metric.names()})

    def look_at(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Open if every metric of ``start_when`` is reached (Algorithm 1, line 3).

        Raises:
            KeyError: If validation does not give one of them.
        """
        self._compare(set(metrics))
        if self.start_when and all(metrics[k] >= v for k, v in self.start_when.items()):
            self._open(runner, f'validation reached {self.start_when}')

    def begin_epoch(self, runner: Runner) -> None:
        """Open if this is the epoch."""
        if self.start_epoch is not None and runner.epoch >= self.start_epoch:
            self._open(runner, f'epoch {self.start_epoch}')

    def weight(self, runner: Runner) -> float:
        """How much of eta counts in this iteration, in [0, 1]."""
        if not self.ramp_epochs or not is_open(runner):
            return float(is_open(runner))
        done = runner.iter - runner.message_hub.get_info(OPENED_AT)
        return min(done / (self.ramp_epochs * len(runner.train_dataloader)), 1.0)

    def _compare(self, given: set[str]) -> None:
        if missing := self.start_when.keys() - given:
            raise KeyError(
                f'start_when names {sorted(missing)}, validation gives {sorted(given)}: '
                'name one of those'
            )

    @staticmethod
    def _open(runner: Runner, reason: str) -> None:
        if not is_open(runner):
            runner.message_hub.update_info(OPENED_AT, runner.iter)
            runner.logger.info(f'pseudo labels are on from epoch {runner.epoch}: {reason}')


def is_open(runner: Runner) -> bool:
    """Whether pseudo labels teach."""
    return runner.message_hub.get_info(OPENED_AT) is not None
