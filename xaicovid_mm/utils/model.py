"""The network inside a runner, and its mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> Any:
    """The model without its distributed wrapper.

    An extra forward through the wrapper would re-arm its gradient reducer, and its state has
    other names.
    """
    return model.module if is_model_wrapper(model) else model


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode, and back to the mode that each had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
