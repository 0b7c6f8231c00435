"""Whose statistics a batch norm remembers."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Within, a batch norm uses the batch's statistics and leaves its running ones as they are.

    Strong views are no slices that are ever predicted; counted in, they shift what the network,
    and so its next pseudo masks, see of plain slices. Not in the paper, whose norm has none.

    Args:
        model: In either mode; nothing else of it changes.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
