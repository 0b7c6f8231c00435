"""When the CAM loss begins."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...utils.model import unwrap_model


@HOOKS.register_module()
class CAMLossStartHook(Hook):
    """Add the CAM loss from an epoch on (Fig. 6: the classifier must mean something first).

    Args:
        begin: First epoch with the CAM loss, counted from 0; the paper has 20.
    """

    def __init__(self, begin: int = 20) -> None:
        self.begin = begin

    def before_train_epoch(self, runner: Runner) -> None:
        """Switch it on or off; derived from the epoch, so a resumed run agrees."""
        unwrap_model(runner.model).cls_head.cam_loss_active = runner.epoch >= self.begin
