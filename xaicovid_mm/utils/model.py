"""The network inside a runner."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def bare_model(runner: Runner) -> Any:
    """The model without its distributed wrapper.

    An extra forward through the wrapper would re-arm its gradient reducer, and its state has
    other names.
    """
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
