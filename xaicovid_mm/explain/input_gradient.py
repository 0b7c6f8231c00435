"""The gradient of a score by its inputs, wherever it is asked for."""

from collections.abc import Callable

import torch
from torch import Tensor


def check_type(inputs: Tensor) -> None:
    """Refuse inputs that are no floating-point numbers with a ValueError."""
    if not inputs.is_floating_point():
        raise ValueError(f'inputs are {inputs.dtype}: a gradient needs floating-point numbers')


def input_gradient(score: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Return the gradient of the summed score by its inputs, shaped like them and detached.

    It works under ``no_grad`` and ``inference_mode`` and with a first layer that works in place. No
    parameter's ``.grad`` changes.

    Args:
        score: Maps the inputs to a tensor; a sample's score may depend on that sample only.
        inputs: Of any floating-point type; they stay as they are.

    Raises:
        ValueError: If the inputs are no floating-point numbers, or the score has no gradient.
    """
    check_type(inputs)
    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        try:
            total = score(leaf.clone()).sum()
        except RuntimeError as error:
            if 'Inference tensors' not in str(error):
                raise
            raise ValueError(
                'the network was made or changed under inference_mode, so it has no gradient: '
                'build it and load its weights outside'
            ) from error
        if not total.requires_grad:
            raise ValueError('the score has no gradient: is it computed under no_grad?')
        return torch.autograd.grad(total, leaf)[0]
