"""Turn training state into plain data: tensors, numbers, text, lists and dicts."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from ..utils.errors import CheckpointError

_PRIMITIVES = (bool, int, float, str, bytes, type(None), torch.dtype)


def to_plain(value: object, where: str = 'checkpoint') -> object:
    """Turn ``value`` into tensors on the CPU and primitives; `from_plain` turns it back.

    Numpy arrays, counters and mmengine's ``HistoryBuffer`` become dicts with one tagged key.

    Args:
        value: A training state, or a part of one.
        where: Path to ``value``, for errors.

    Raises:
        CheckpointError: For an object that cannot be stored as plain data.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, _PRIMITIVES):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return {'__ndarray__': torch.from_numpy(np.array(value))}
    if isinstance(value, HistoryBuffer):
        return {'__history__': to_plain([*value.data, value.max_length], where)}
    if isinstance(value, Counter):
        return {'__counter__': dict(value)}
    if isinstance(value, Mapping):
        return {k: to_plain(v, f'{where}/{k}') for k, v in value.items()}
    if isinstance(value, list | tuple):
        items = [to_plain(v, f'{where}/{i}') for i, v in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    raise CheckpointError(
        f'{where} is a {type(value).__name__}, a checkpoint holds numbers, text, tensors, arrays, '
        'lists and dicts: convert it, or keep it out (update_info(..., resumed=False))'
    )


def from_plain(value: object, done: dict[int, object] | None = None) -> object:
    """Undo `to_plain`.

    Args:
        value: Plain data. What stands in it many times is made once: lists of one list of one
            list could ask for any memory.
        done: What was made so far, by the id of what it was made of.
    """
    done = {} if done is None else done
    if not isinstance(value, Mapping | list | tuple):
        return value
    if id(value) not in done:
        done[id(value)] = _rebuilt(value, done)
    return done[id(value)]


def _rebuilt(value: Mapping | list | tuple, done: dict[int, object]) -> object:
    if isinstance(value, Mapping):
        match [*value.items()]:
            case [('__ndarray__', torch.Tensor() as tensor)]:
                return tensor.cpu().numpy()
            case [('__history__', [log, count, max_length])]:
                return HistoryBuffer(from_plain(log, done), from_plain(count, done), max_length)
            case [('__counter__', Mapping() as counts)]:
                return Counter(counts)
        return {k: from_plain(v, done) for k, v in value.items()}
    items = [from_plain(v, done) for v in value]
    return tuple(items) if isinstance(value, tuple) else items
