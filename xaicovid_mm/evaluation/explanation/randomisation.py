"""Networks whose weights are made random from the answer down to the input."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

STEPS = 4
"""Steps of the cascade."""


def randomised_networks(model: nn.Module, seed: int = 0) -> Iterator[nn.Module]:
    """Yield a copy of a network after each step of the cascade (Adebayo et al., 2018).

    From step to step more layers have random weights: first those that were registered last, the
    heads, then the encoder from its deepest layer up. Weights get the numbers that a new layer
    would have, statistics of batch norm those of no data. The network itself, torch's global
    random state and the gradients stay as they are.

    Args:
        model: The network.
        seed: Of the weights.

    Yields:
        The same copy each time, with more of it random.
    """
    network = copy.deepcopy(model)
    layers = [
        layer for layer in reversed([*network.modules()]) if [*layer.parameters(recurse=False)]
    ]
    parts = np.array_split(np.arange(len(layers)), min(STEPS, len(layers)))
    for step, part in enumerate(parts):
        with torch.random.fork_rng():
            torch.manual_seed(seed + step)
            for number in part:
                _forget(layers[number])
        yield network


@torch.no_grad()
def _forget(layer: nn.Module) -> None:
    if callable(reset := getattr(layer, 'reset_parameters', None)):
        reset()
        return
    for parameter in layer.parameters(recurse=False):
        parameter.normal_(std=float(parameter.std(correction=0)))
