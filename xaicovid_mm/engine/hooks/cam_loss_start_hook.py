"""When the CAM loss starts."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...utils.model import unwrap_model


@HOOKS.register_module()
class CAMLossStartHook(Hook):
    """Add the CAM loss from an epoch on (Fig. 6: the classifier must mean something first).

    Before that epoch it sets ``loss_weights['cam']`` of the model to 0, so that the CAM loss is not
    even computed. From it on the weight is the config's.

    Args:
        begin: First epoch with the CAM loss, counted from 0; the paper has 20.
    """

    def __init__(self, begin: int = 20) -> None:
        self.begin = begin
        self._weight = 1.0

    def before_train(self, runner: Runner) -> None:
        """Note the weight that the config gives."""
        self._weight = unwrap_model(runner.model).loss_weights['cam']

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the weight; it follows from the epoch alone, so a resumed run has the same."""
        weight = self._weight if runner.epoch >= self.begin else 0.0
        unwrap_model(runner.model).loss_weights['cam'] = weight
