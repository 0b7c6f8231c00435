"""Heads that fit their backbone: ``in_channels`` come from one dry forward."""

import inspect
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ..registry import MODELS
from ..utils.model import eval_mode

SIDES = (64, 224, 128, 256, 384, 512)
"""Sides of the black slice that is sent through, in turn: some backbones take one size only."""


def map_channels(backbone: nn.Module, in_channels: int = 1) -> tuple[tuple[int, ...], str]:
    """Measure the channels of a backbone's maps on a black image. The backbone stays as it is.

    Args:
        backbone: Maps (B, in, H, W) to a tuple of maps (B, K_s, h_s, w_s), finest first.
        in_channels: Channels of the image.

    Returns:
        The channels, finest map first; none, and the reason, if no forward succeeds.

    Raises:
        ValueError: If the backbone gives anything but a tuple of maps.
    """
    device = next((p.device for p in backbone.parameters()), torch.device('cpu'))
    kind, failure = type(backbone).__name__, ''
    for side in SIDES:
        image = torch.zeros(1, in_channels, side, side, device=device)
        try:
            with eval_mode(backbone), torch.no_grad(), torch.random.fork_rng(devices=[]):
                maps = backbone(image)
        except Exception as error:  # of any library: what it raises cannot be known
            failure = failure or f'{kind} fails on a slice {tuple(image.shape)} ({error})'
            continue
        if isinstance(maps, Tensor):
            raise ValueError(
                f'{kind} gives one tensor {tuple(maps.shape)}: let it return a tuple of maps, '
                'finest first'
            )
        if flat := [tuple(feature.shape) for feature in maps if feature.ndim != 4]:
            raise ValueError(
                f'{kind} gives {flat[0]}, which is no map (B, K, h, w): a vision transformer needs '
                "features_only=True (timm) or out_type='featmap' (mmpretrain)"
            )
        return tuple(feature.shape[1] for feature in maps), ''
    return (), failure


class HeadBuilder:
    """Build the heads of a backbone, which need not say how many channels they read.

    A head reads the backbone's maps that its ``in_index`` names, or all of them if it has no such
    argument. The channels of the maps are measured on a black slice. That changes no weight,
    running statistic, training mode or random state.

    Args:
        backbone: Maps (B, 1, H, W) to a tuple of maps (B, K_s, h_s, w_s), finest first.

    Raises:
        ValueError: If the backbone gives anything but a tuple of maps.
    """

    def __init__(self, backbone: nn.Module) -> None:
        self.channels, self._failure = map_channels(backbone)

    def __call__(self, name: str, config: dict | None) -> Any:
        """Build a head, with the ``in_channels`` of its config if there are any.

        Args:
            name: Its key in the model's config, for errors.
            config: None builds nothing.

        Raises:
            ValueError: If the head reads a map that is not there; if its ``in_channels`` are not
                those of the maps; or if it has none and they could not be measured.
        """
        if not config:
            return None
        kind = _class_of(config)
        if not _takes(kind, 'in_channels'):
            return _build(config)
        given = config.get('in_channels')
        if not self.channels:
            if given is None:
                raise ValueError(
                    f'{name}.in_channels is missing and cannot be measured: {self._failure}. Give '
                    'in_channels, or a backbone that takes such a slice'
                )
            return _build(config)
        measured = self._read_by(name, config.get('in_index', _default(kind, 'in_index')))
        if given is None:
            return _build({**config, 'in_channels': measured})
        given = given if isinstance(given, int) else tuple(given)
        if given != measured:
            raise ValueError(
                f'{name}.in_channels={given}, but the maps that it reads have {measured} channels; '
                f'all maps of the backbone have {self.channels}: correct it, or leave it out'
            )
        return _build(config)

    def _read_by(self, name: str, index: Any) -> int | tuple[int, ...]:
        """Channels of the maps of an ``in_index``: one number, or one per map."""
        if index is None:
            return self.channels
        try:
            if isinstance(index, int):
                return self.channels[index]
            return tuple(self.channels[i] for i in index)
        except IndexError:
            raise ValueError(
                f'{name}.in_index={index}, but the backbone gives {len(self.channels)} maps: name '
                'some of those, or let the backbone give more'
            ) from None


def _build(config: dict) -> Any:
    """Build a head, without mmseg's warning about a loss that its head has and nobody asks for."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Default ``avg_non_ignore`` is False')
        return MODELS.build(config)


def _class_of(config: dict) -> Any:
    """The class that a config names."""
    if not isinstance(config['type'], str):
        return config['type']
    with MODELS.switch_scope_and_registry(config.get('_scope_')) as registry:
        return registry.get(config['type'])


def _takes(kind: Any, argument: str) -> bool:
    return any(argument in parameters for parameters in _signatures(kind))


def _default(kind: Any, argument: str) -> Any:
    """Default of an argument; None without that argument."""
    for parameters in _signatures(kind):
        if argument in parameters:
            return parameters[argument].default
    return None


def _signatures(kind: Any) -> list:
    """Parameters of a class and of those that it extends, which may get its ``**kwargs``."""
    owners = [owner for owner in getattr(kind, '__mro__', ()) if '__init__' in vars(owner)]
    return [inspect.signature(owner.__init__).parameters for owner in owners]
