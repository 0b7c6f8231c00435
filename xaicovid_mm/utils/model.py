"""Unwrap a network, and put it into eval mode for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from torch import Tensor, nn


def unwrap_model(model: nn.Module) -> Any:
    """Return the model without its distributed wrapper, if it has one.

    An extra forward pass through the wrapper would re-arm its gradient reducer, and the names in
    the wrapper's state dict differ.
    """
    return model.module if is_model_wrapper(model) else model


def need_finite(outputs: Tensor, names: Sequence[str]) -> None:
    """Refuse outputs of a network (B, ...) that are NaN or infinite: scores would be made of them.

    Args:
        outputs: What the network computed of B slices.
        names: Their names, for the error.

    Raises:
        ValueError: Naming the first such slice.
    """
    sound = outputs.flatten(1).isfinite().all(1)
    if not sound.all():
        raise ValueError(
            f'the network computes NaN or infinity of slice {names[int(sound.int().argmin())]}: '
            'its weights are spoilt, take those of an earlier epoch'
        )


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
