"""Hand the network to the metric that explains it."""

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...utils.model import unwrap_model
from ..metrics.explanation_metric import ExplanationMetric


@HOOKS.register_module()
class ExplanationModelHook(Hook):
    """Give each ``ExplanationMetric`` of an evaluator the network, which mmengine does not."""

    def before_val(self, runner: Runner) -> None:
        """Give it to the metrics of the validation."""
        _give(runner.val_evaluator, runner)

    def before_test(self, runner: Runner) -> None:
        """Give it to the metrics of the test."""
        _give(runner.test_evaluator, runner)


def _give(evaluator: Evaluator, runner: Runner) -> None:
    for metric in evaluator.metrics:
        if isinstance(metric, ExplanationMetric):
            metric.model = unwrap_model(runner.model)
