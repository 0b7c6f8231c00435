"""Bounds of the numbers in a config that nothing else checks, by key, wherever it stands.

A number out of them would not stop a training: it would turn a loss or a rate round, or leave
nothing to learn from.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...utils.errors import ConfigError

Bound = tuple[Callable[[float], bool], str]

AT_LEAST_0: Bound = lambda x: x >= 0, '0 or more'
ABOVE_0: Bound = lambda x: x > 0, 'more than 0'
AT_LEAST_1: Bound = lambda x: x >= 1, '1 or more'
SHARE: Bound = lambda x: 0 <= x <= 1, 'a share, 0 to 1,'
WORKERS: Bound = lambda x: x <= 512, '512 or less'

NUMBERS: dict[str, Bound] = {
    **dict.fromkeys(
        ('max_epochs', 'max_iters', 'val_interval', 'batch_size', 'window_size', 'step_size')
        + ('T_max', 'base_batch_size', 'batches_per_epoch'),
        AT_LEAST_1,
    ),
    **dict.fromkeys(('lr', 'max_norm', 'clip_value'), ABOVE_0),
    **dict.fromkeys(
        ('lr_mult', 'decay_mult', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult')
        + ('flat_decay_mult', 'dwconv_decay_mult', 'gamma', 'eta_min', 'eta_min_ratio')
        + ('loss_weights', 'loss_weight', 'alphas', 'smooth', 'std', 'eps')
        + ('negative_slope', 'begin', 'val_begin', 'start_epoch', 'ramp_epochs', 'seed'),
        AT_LEAST_0,
    ),
    **dict.fromkeys(('momentum', 'prob', 'flip_prob'), SHARE),
    'num_workers': WORKERS,
}
"""Key of a number, or of a list or dict of numbers, to the bound of each."""


def check_bounds(place: str, node: Mapping[str, Any]) -> None:
    """Refuse numbers of a dict that are out of their bounds.

    Args:
        place: Where the dict stands in the config.
        node: The dict, whose values are of the right kinds.

    Raises:
        ConfigError: Naming the key, its value and what is expected.
    """
    for key in NUMBERS.keys() & node.keys():
        fits, expected = NUMBERS[key]
        for name, number in _numbers(f'{place}.{key}', node[key]):
            if not fits(number) and not math.isnan(number):  # which is refused in other words
                raise ConfigError(f'config {name} is {number}: {expected} expected')


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(f'{name}.{key}', item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(f'{name}.{index}', item)
