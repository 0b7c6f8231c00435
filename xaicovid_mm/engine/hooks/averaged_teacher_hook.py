"""An average of the weights that can teach and be kept, whatever norm the network has."""

from mmengine.hooks import EMAHook
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class AveragedTeacherHook(EMAHook):
    """mmengine's ``EMAHook`` with ``OwnStatisticsEMA``.

    The average is the mean of all steps at first and then moves by ``momentum`` a step. It is what
    validation sees and what a checkpoint holds as its weights.

    Args:
        momentum: Share of the new weights in each step.
        every: Iterations between two measurements of the statistics; each costs a forward pass.

    Raises:
        ValueError: If ``every`` is below 1 or ``momentum`` outside (0, 1].
    """

    def __init__(self, momentum: float = 0.01, every: int = 4) -> None:
        if every < 1 or not 0 < momentum <= 1:
            raise ValueError(f'momentum={momentum}, every={every}: give (0, 1] and 1 or more')
        super().__init__('OwnStatisticsEMA', momentum=momentum, gamma=1)
        self.every = every

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Average the weights; measure the statistics on the batch when it is time."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if data_batch and runner.iter % self.every == 0:
            network = self.ema_model.module
            batch = network.data_preprocessor({'inputs': data_batch['inputs']})
            self.ema_model.measure_statistics(batch['inputs'])
