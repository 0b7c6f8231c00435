"""Put weights of a file into a network, and say what was taken."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..utils.errors import CheckpointError

UNWRAPPED = ((r'^module\.', ''),)
"""Takes the prefix of a distributed wrapper off the names of weights."""
SHOWN = 5
"""Names that a message lists of each kind."""


class WeightsError(CheckpointError):
    """Weights do not fit a network, or are no numbers."""


@dataclass
class Fit:
    """How the weights of a file fit a network, by name.

    Attributes:
        taken: Of the same name and shape.
        reshaped: Of the same name, and of another shape or kind of number.
        missing: The network has them, the file does not.
        unknown: The file has them, the network does not.
    """

    taken: dict[str, Tensor] = field(default_factory=dict)
    reshaped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, model: nn.Module, weights: Mapping[str, Tensor]) -> 'Fit':
        """Compare the weights of a file with a network."""
        fit, own = cls(), model.state_dict()
        fit.missing = sorted(own.keys() - weights.keys())
        fit.unknown = sorted(weights.keys() - own.keys())
        for name in own.keys() & weights.keys():
            theirs, ours = weights[name], own[name]
            if (theirs.shape, theirs.dtype.is_floating_point) == (
                ours.shape,
                ours.dtype.is_floating_point,
            ):
                fit.taken[name] = theirs.to(ours.dtype)  # where a large number becomes infinite
            else:
                fit.reshaped.append(f'{name} {_look(theirs)}, here {_look(ours)}')
        fit.reshaped.sort()
        return fit

    @property
    def left(self) -> str:
        """What does not fit, in words; empty if all does."""
        kinds = (
            ('missing in the file', self.missing),
            ('of another shape', self.reshaped),
            ('unknown to the network', self.unknown),
        )
        return '; '.join(f'{len(names)} {kind}: {_some(names)}' for kind, names in kinds if names)


def weights_of(
    checkpoint: Mapping[str, Any],
    path: str | Path,
    revise_keys: Sequence[tuple[str, str]] = UNWRAPPED,
) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, or of a file that holds nothing else.

    Args:
        checkpoint: What the file holds.
        path: The file, for errors.
        revise_keys: Pairs of pattern and replacement for the names.

    Raises:
        WeightsError: If there are none, one is no dense tensor in memory, or two have one name.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not state:
        raise WeightsError(f'{path} holds no weights: give a checkpoint of a training run')
    if bad := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise WeightsError(f'{path} holds no weights: {_some(bad)} are no tensors')
    if bad := [n for n, t in state.items() if t.is_meta or t.layout != torch.strided]:
        raise WeightsError(f'{path}: {_some(bad)} hold no plain numbers (sparse, or without any)')
    names = [str(name) for name in state]
    for pattern, replacement in revise_keys:
        names = [re.sub(pattern, replacement, name) for name in names]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise WeightsError(f'{path} has several weights of the name {_some(twice)}: keep one')
    return dict(zip(names, state.values(), strict=True))


def check_fit(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> Fit:
    """See that the weights of a file are those of a network, each and every one.

    Raises:
        WeightsError: If a name or shape differs.
    """
    fit = Fit.of(model, weights)
    if fit.left:
        raise WeightsError(
            f'{path} does not fit the model: {fit.left}. Give the config that it was trained with'
        )
    return fit


def load_all(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Load the weights of a file, which must be those of the network, each and every one.

    Raises:
        WeightsError: If a name or shape differs, a number is not finite, or a variance is below 0.
            The network is not changed then.
    """
    _load(model, check_fit(model, weights, path), path)


def load_fitting(model: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> str:
    """Load those weights of a file that fit the network, as a start for training.

    Returns:
        What was taken and what was not, in words.

    Raises:
        WeightsError: If nothing fits, or a number is not finite. The network is not changed then.
    """
    fit = Fit.of(model, weights)
    if not any(tensor.dtype.is_floating_point for tensor in fit.taken.values()):
        raise WeightsError(
            f'{path}: none of its weights fit the model: {fit.left}. Training would start from '
            'random weights: give other weights, or leave load_from out'
        )
    _load(model, fit, path)
    count = f'{len(fit.taken)} of {len(model.state_dict())} weights of the network'
    return f'{path}: took {count}; {fit.left or "nothing was left over"}'


def _load(model: nn.Module, fit: Fit, path: str | Path) -> None:
    if bad := [n for n, t in fit.taken.items() if not t.isfinite().all()]:
        raise WeightsError(
            f'{path}: {len(bad)} weights hold NaN or infinity: {_some(bad)}. The training that '
            'wrote it had failed: take an earlier checkpoint'
        )
    variances = {n: t for n, t in fit.taken.items() if n.endswith('running_var')}
    if bad := [n for n, t in variances.items() if (t < 0).any()]:
        raise WeightsError(f'{path}: variances below 0: {_some(bad)}. Take another checkpoint')
    model.load_state_dict(fit.taken, strict=False)


def _look(tensor: Tensor) -> str:
    return f'{tuple(tensor.shape)} {str(tensor.dtype).removeprefix("torch.")}'


def _some(names: list) -> str:
    rest = len(names) - SHOWN
    return ', '.join(map(str, names[:SHOWN])) + (f' and {rest} more' if rest > 0 else '')
