"""Write checkpoints when an epoch and its validation are over."""

import math
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from ...registry import HOOKS
from ...utils.files import write_bytes
from ..checkpoint import POINTER, epoch_checkpoints, remove_stale
from ..ct_runner import CTRunner
from ..dist import on_main

BEST = 'best_checkpoint'
"""Key in the message hub: metric, score and epoch of the best checkpoint so far."""


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """Write ``epoch_<n>.pth`` after n finished epochs, so that a kill never costs more than one.

    An epoch is settled only when its validation is over: validation draws random numbers, may start
    the pseudo labels and steps schedulers. So this hook acts at the start of the next epoch, before
    any other hook, and at the end of training. A resumed run starts at the same point: what other
    hooks do at the start of an epoch is done again.

    Args:
        interval: Epochs between two checkpoints; the last epoch always has one.
        max_keep: Newest checkpoints to keep. An old one is removed once the new one is on the disk.
        keep_every: Checkpoints of epochs that are a multiple of it are never removed (Fig. 5, say).
        save_best: Validation metric whose best epoch is kept as well, apart from ``max_keep``, as
            ``best_<metric>_epoch_<n>.pth``.
        rule: Which score is better, 'greater' or 'less'.

    Raises:
        ValueError: For an interval or a number to keep below 1, or another rule.
    """

    priority = 'HIGHEST'

    def __init__(
        self,
        interval: int = 1,
        max_keep: int = 2,
        keep_every: int | None = None,
        save_best: str | None = None,
        rule: str = 'greater',
    ) -> None:
        counts = dict(interval=interval, max_keep=max_keep, keep_every=keep_every or 1)
        if min(counts.values()) < 1:
            raise ValueError(f'{counts}: each must be 1 or more')
        if rule not in ('greater', 'less'):
            raise ValueError(f"rule={rule!r}: choose 'greater' or 'less'")
        self.interval, self.max_keep, self.keep_every = interval, max_keep, keep_every
        self.save_best, self.rule = save_best, rule
        self._settled = 0
        self._best_due = False

    def before_train(self, runner: CTRunner) -> None:
        """Clear away what killed runs left half written.

        Raises:
            ValueError: For another runner or loop than this hook can serve.
        """
        if not isinstance(runner, CTRunner) or not isinstance(
            runner.train_loop, EpochBasedTrainLoop
        ):
            raise ValueError(
                "SafeCheckpointHook needs runner_type='CTRunner' and an EpochBasedTrainLoop, got "
                f'{type(runner).__name__} and {type(runner.train_loop).__name__}'
            )
        self._settled = runner.epoch
        if is_main_process():
            remove_stale(Path(runner.work_dir))

    def before_train_epoch(self, runner: CTRunner) -> None:
        """Save the epoch before, or put a resumed run where that one was saved."""
        if runner.epoch == self._settled:
            runner.restore_random_state()  # hooks may have drawn since it was loaded
            runner.forget_random_state()
        else:
            self._settle(runner, due=runner.epoch % self.interval == 0)

    def after_train(self, runner: CTRunner) -> None:
        """Save the last epoch."""
        if runner.epoch != self._settled:
            self._settle(runner, due=True)

    def after_val_epoch(self, runner: CTRunner, metrics: dict[str, float] | None = None) -> None:
        """Note whether this epoch is the best; it is saved when it is settled.

        Raises:
            KeyError: If validation does not give the metric.
        """
        if self.save_best is None:
            return
        metrics = metrics or {}
        if self.save_best not in metrics:
            raise KeyError(
                f'save_best={self.save_best!r}, validation gave {sorted(metrics)}: '
                'name one of those'
            )
        score = float(metrics[self.save_best])
        best = runner.message_hub.get_info(BEST) or {}
        if self._is_better(score, best):
            record = dict(metric=self.save_best, score=score, epoch=runner.epoch)
            runner.message_hub.update_info(BEST, record)
            self._best_due = True

    def _is_better(self, score: float, best: dict) -> bool:
        if math.isnan(score):
            return False
        if best.get('metric') != self.save_best:
            return True
        return score > best['score'] if self.rule == 'greater' else score < best['score']

    def _settle(self, runner: CTRunner, due: bool) -> None:
        if self._best_due:
            self._write_best(runner)
        if due:
            self._write_epoch(runner)
        self._settled, self._best_due = runner.epoch, False

    def _write_epoch(self, runner: CTRunner) -> None:
        folder, name = Path(runner.work_dir), f'epoch_{runner.epoch}.pth'
        _save(runner, name)
        on_main(lambda: write_bytes(folder / POINTER, name.encode()))
        if is_main_process():
            written = [(n, p) for n, p in epoch_checkpoints(folder).items() if n <= runner.epoch]
            old = written[self.max_keep :]
            _delete(runner, [p for n, p in old if not self.keep_every or n % self.keep_every])

    def _write_best(self, runner: CTRunner) -> None:
        prefix = f'best_{str(self.save_best).replace("/", "_")}_epoch_'
        name = f'{prefix}{runner.epoch}.pth'
        _save(runner, name)
        if is_main_process():
            older = [p for p in Path(runner.work_dir).glob(f'{prefix}*.pth') if p.name != name]
            _delete(runner, older)


def _save(runner: CTRunner, name: str) -> None:
    meta = dict(epoch=runner.epoch, iter=runner.iter)  # counted already: the epoch is over
    runner.save_checkpoint(runner.work_dir, name, meta=meta)
    runner.logger.info(f'saved {name}')


def _delete(runner: CTRunner, paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            runner.logger.warning(f'{path} is out of date but could not be removed: {error}')
