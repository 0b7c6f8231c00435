"""Training steps with bfloat16, on processors and cards that have instructions for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import nn
from torch.optim import Optimizer

from ..registry import OPTIM_WRAPPERS

CPU_INSTRUCTIONS = ('avx512_bf16', 'amx_bf16', 'bf16')
"""Names in torch's list of what a processor can do."""


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Run the forward pass of a training step, and so its backward pass, in bfloat16.

    Weights, their gradients, losses, pseudo labels with their saliency, and validation stay
    float32. bfloat16 has the range of float32, so the loss needs no scaling. On a device without
    instructions for it the step is float32, and the log says so. Not in the paper.

    Args:
        optimizer: As in mmengine.
        accumulative_counts: As in mmengine.
        clip_grad: As in mmengine.
    """

    def __init__(
        self, optimizer: Optimizer, accumulative_counts: int = 1, clip_grad: dict | None = None
    ) -> None:
        super().__init__(optimizer, accumulative_counts, clip_grad)
        self._device = optimizer.param_groups[0]['params'][0].device.type
        self.enabled = has_bfloat16(self._device)
        if not self.enabled:
            print_log(
                f'this {self._device} has no instructions for bfloat16: training in float32',
                logger='current',
                level=30,
            )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter bfloat16 for the forward pass of a model."""
        precision = torch.autocast(self._device, torch.bfloat16, enabled=self.enabled)
        with super().optim_context(model), precision:
            yield


def has_bfloat16(device: str) -> bool:
    """Return whether a device, 'cpu' or 'cuda', computes with bfloat16 itself.

    A CPU can be made to do without such instructions, but is then slower than with float32.
    """
    if device == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == 'cpu' and hasattr(torch.cpu, 'get_capabilities'):  # not in all versions
        can = torch.cpu.get_capabilities()
        return any(can.get(name, False) for name in CPU_INSTRUCTIONS)
    return False
