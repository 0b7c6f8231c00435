"""Show training as a progress bar, where somebody looks at a terminal."""

import logging
import sys

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from ...registry import HOOKS
from ...utils.terminal import Console
from ..ct_runner import CTRunner
from ..terminal_log import terminal_handlers

SHOWN = ('loss', 'loss_ce', 'loss_s', 'loss_u')
"""Losses beside the bar, if the model has them: sum, of class, masks and pseudo labels."""
HEADLINES = (
    'seg/dice_infected_slice_mean',
    'seg/dice_slice_mean',
    'seg/dice_volume_mean',
    'cls/auc_macro_slice',
    'cls/auc_macro_patient',
    'cls/accuracy_slice',
    'lung/dice_slice_mean',
)
"""Metrics of the validation that are shown while training; all are in the log."""
COLUMNS = (
    TextColumn('{task.description}'),
    BarColumn(20),
    TextColumn('{task.percentage:>3.0f} %'),
    TimeElapsedColumn(),
    TextColumn('left'),
    TimeRemainingColumn(),
    TextColumn('{task.fields[losses]}', table_column=Column(ratio=1, no_wrap=True)),
)


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """A bar with epoch, losses and time left in a terminal; nothing where output is a file.

    Other lines of the log appear above the bar. Those of every few steps, and all scores of a
    validation but the ``HEADLINES``, go to the log file alone.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def before_train(self, runner: CTRunner) -> None:
        """Start the bar, at the step where a resumed run goes on."""
        console = Console()
        if not (is_main_process() and console.is_terminal):
            return
        self._progress = Progress(*COLUMNS, console=console, expand=True, refresh_per_second=2)
        self._task = self._progress.add_task('', total=runner.max_iters, losses='')
        runner.closing.callback(self._stop, runner)
        self._progress.start()
        for handler in terminal_handlers(runner.logger):
            handler.addFilter(_is_no_step)
            handler.setStream(sys.stdout)  # rich's, which prints above the bar
        self._show(runner, runner.iter)

    def after_train_iter(
        self,
        runner: CTRunner,
        batch_idx: int,
        data_batch: object = None,
        outputs: dict | None = None,
    ) -> None:
        """Move the bar on."""
        self._show(runner, runner.iter + 1)

    def after_val_epoch(self, runner: CTRunner, metrics: dict[str, float] | None = None) -> None:
        """Show the headlines of a validation."""
        if self._progress is not None:
            metrics = metrics or {}
            names = [name for name in HEADLINES if name in metrics] or list(metrics)
            scores = ', '.join(f'{name} {metrics[name]:.3f}' for name in names)
            self._progress.console.print(f'validation after epoch {runner.epoch}: {scores}')

    def _show(self, runner: CTRunner, step: int) -> None:
        if self._progress is None:
            return
        scalars = runner.message_hub.log_scalars
        losses = (
            f'{name} {scalars[f"train/{name}"].current():.3f}'
            for name in SHOWN
            if f'train/{name}' in scalars
        )
        epoch = min(step // len(runner.train_dataloader) + 1, runner.max_epochs)
        text = f'epoch {epoch}/{runner.max_epochs}'
        self._progress.update(
            self._task, completed=step, description=text, losses='  '.join(losses)
        )

    def _stop(self, runner: CTRunner) -> None:
        """Give the terminal back, however training ended."""
        if self._progress is not None:
            self._progress.stop()
            for handler in terminal_handlers(runner.logger):
                handler.removeFilter(_is_no_step)
                handler.setStream(sys.stdout)
            self._progress = None


def _is_no_step(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(('Epoch(train)', 'Epoch(val)', 'Exp name'))
