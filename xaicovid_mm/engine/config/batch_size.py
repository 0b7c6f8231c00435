"""Let the batch size and the counts of the two-stream sampler agree."""

import math
from collections.abc import Mapping
from typing import Any

from mmengine import Config

from ...utils.errors import ConfigError

STREAMS = ('labelled_per_batch', 'unlabelled_per_batch')
"""Arguments of the two-stream sampler that make up a batch."""


def match_batch_size(cfg: Config, options: Mapping[str, Any]) -> None:
    """Make batch size and two-stream sampler agree: what an option sets, the other follows.

    Raises:
        ConfigError: If the config or the options give both and they differ, or a batch size cannot
            be divided as the config divides its own.
    """
    loader: Any = cfg.get('train_dataloader') or {}
    sampler = loader.get('sampler') or {}
    if sampler.get('type') != 'TwoStreamSampler':
        return
    place, size = 'train_dataloader', loader.get('batch_size')
    parts = {key: sampler[key] for key in STREAMS if sampler.get(key)}
    total = sum(parts.values())
    if size == total or not size or not total:  # building says what is wrong with none
        return
    named = {key for key in STREAMS if f'{place}.sampler.{key}' in options}
    sized = f'{place}.batch_size' in options
    said = ' + '.join(f'sampler.{key} {count}' for key, count in parts.items())
    if sized == bool(named):
        raise ConfigError(
            f'config {place}.batch_size is {size}, and {said} make {total}: let them agree'
        )
    if named:
        loader.batch_size = total
    elif all(size * count % total == 0 for count in parts.values()):
        sampler.update({key: size * count // total for key, count in parts.items()})
    else:
        least = total // math.gcd(*parts.values())
        raise ConfigError(
            f'config {place}.batch_size is {size}, which cannot be divided as {said}: give a '
            f'multiple of {least}, or set the counts of the sampler'
        )
