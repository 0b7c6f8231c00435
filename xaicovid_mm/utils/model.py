"""Unwrap a network, and put it into eval mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> Any:
    """Return the model without its distributed wrapper, if it has one.

    An extra forward pass through the wrapper would re-arm its gradient reducer, and the names in
    the wrapper's state dict differ.
    """
    return model.module if is_model_wrapper(model) else model


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into eval mode, and each back into its earlier mode at the end."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
