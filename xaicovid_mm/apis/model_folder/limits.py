"""Bounds on the memory that a model folder can ask for, checked before it is taken."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

SPARE = 10_000_000
"""Numbers that a network may make beyond twice those of its weights file.

Some make layers that they drop again: those of timm a classifier of 1000 classes.
"""
LARGEST = 1 << 26
"""Numbers of the largest map of a slice, 256 MB; at 224 px the paper's network has 5 million."""

_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)


class NumberBudget(TorchFunctionMode):
    """Refuse to make more numbers than a weights file can be for; use it around a build.

    Args:
        weights: The weights of the file.

    Raises:
        ValueError: Before the tensor is made that is too much.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.filed = sum(tensor.numel() for tensor in weights.values())
        self.left = 2 * self.filed + SPARE

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS:
            self.left -= _numel(kwargs.get('size', args))
            if self.left < 0:
                raise ValueError(f'it is much larger than its weights, {self.filed} numbers')
        return func(*args, **kwargs)


class _LargestMap(TorchFunctionMode):
    """Remember the size of the largest tensor that comes out of any function."""

    numel = 0

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.numel = max(self.numel, made.numel())
        return made


def check_size(model: nn.Module, size: Sequence[int], classes: int) -> None:
    """Send a slice of that size through the network, without values, memory or arithmetic.

    Args:
        model: The network. It is not changed.
        size: (H, W).
        classes: Number of classes that it must tell apart.

    Raises:
        ValueError: If the network does not take that size, has another number of classes, or would
            make a map of more than ``LARGEST`` numbers of one slice.
    """
    ghost = copy.deepcopy(model).to('meta')
    slices = torch.empty(1, 1, *size, device='meta')
    with _LargestMap() as largest, torch.no_grad():
        logits, _ = ghost(slices)
    if logits is not None and logits.shape[1] != classes:
        raise ValueError(f'its network has {logits.shape[1]} classes, its list {classes}')
    if largest.numel > LARGEST:
        raise ValueError(
            f'its network makes maps of {largest.numel} numbers of a slice of {size}, {LARGEST} is '
            'the limit'
        )


def _numel(args: Any) -> int:
    """Numbers of a tensor, of the arguments of its maker: sizes one by one, or all in one."""
    first = args[0] if args and not isinstance(args[0], int) else args
    return math.prod(n for n in first if isinstance(n, int))
