"""Bounds of the numbers in a config that nothing else checks, by key, wherever it stands.

A number out of them would not stop a training: it would turn a loss or a rate round, or leave
nothing to learn from.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...classes import CLASSES
from ...utils.errors import ConfigError

Bound = tuple[Callable[[float], bool], str]

AT_LEAST_0: Bound = lambda x: x >= 0, '0 or more'
ABOVE_0: Bound = lambda x: x > 0, 'more than 0'
AT_LEAST_1: Bound = lambda x: x >= 1, '1 or more'
SHARE: Bound = lambda x: 0 <= x <= 1, 'a share, 0 to 1,'
WORKERS: Bound = lambda x: 0 <= x <= 512, '0 to 512'
A_CLASS: Bound = lambda x: x in range(len(CLASSES)), f'0 to {len(CLASSES) - 1}, of {CLASSES},'

NUMBERS: dict[str, Bound] = {
    **dict.fromkeys(
        ('max_epochs', 'max_iters', 'val_interval', 'batch_size', 'window_size', 'step_size')
        + ('T_max', 'base_batch_size', 'batches_per_epoch', 'interval', 'accumulative_counts'),
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
    'window': (lambda x: abs(x) <= 10_000, '-10000 to 10000 HU'),
    'target_class': A_CLASS,
}
"""Key of a number, or of a list or dict of numbers, to the bound of each."""

OF_CLASSES: dict[str, Bound] = {
    'num_classes': (lambda x: x == len(CLASSES), f'{len(CLASSES)}, for {CLASSES},')
}
"""The same for a head of classes alone: a decode head has two, infected or not."""


OF_VIEWS: dict[str, Bound] = {
    'rotate_deg': (lambda x: abs(x) <= 180, '-180 to 180 degrees'),
    **dict.fromkeys(('scale', 'gamma'), (lambda x: 0.05 <= x <= 20, '0.05 to 20')),
    **dict.fromkeys(('contrast', 'brightness', 'sharpness'), (lambda x: 0 <= x <= 20, '0 to 20')),
    **dict.fromkeys(('noise_std', 'radius'), SHARE),
    **dict.fromkeys(('low', 'high'), (lambda x: abs(x) <= 10, '-10 to 10')),
    'blur_px': (lambda x: 0 <= x <= 50, '0 to 50 pixels'),
    'patches': (lambda x: 1 <= x <= 1000, '1 to 1000'),
}
"""The same for the views of a slice, whose values are 0 to 1: beyond, nothing is left to see."""


def check_bounds(place: str, node: Mapping[str, Any]) -> None:
    """Refuse numbers of a dict that are out of their bounds.

    Args:
        place: Where the dict stands in the config.
        node: The dict, whose values are of the right kinds.

    Raises:
        ConfigError: Naming the key, its value and what is expected.
    """
    bounds = NUMBERS
    if place.endswith('.cls_head'):
        bounds = NUMBERS | OF_CLASSES
    elif '.pipeline.' in place:
        bounds = NUMBERS | OF_VIEWS
    for key in bounds.keys() & node.keys():
        fits, expected = bounds[key]
        for name, number in _numbers(f'{place}.{key}', node[key]):
            if not fits(number) and not math.isnan(number):  # NaN has a refusal of its own
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
