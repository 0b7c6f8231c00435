"""Check the values of a config against the annotations of what is built from them."""

import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine import registry as root
from mmengine.runner import Runner

from ...registry import MODELS
from ...utils.errors import ConfigError
from ...utils.nearest import hint
from .bounds import check_bounds
from .kinds import annotations, component_annotations, fits, kind_name, short
from .schema import CALLED, DECLARED, DEFAULT_TYPES, needs_type, registry_at

CUSTOM_KEYS = 'optim_wrapper.paramwise_cfg.custom_keys'


def check_values(config: Mapping[str, Any]) -> None:
    """Refuse values of a kind that what is built from the config does not take.

    Arguments without an annotation pass. Lists are taken for tuples and whole numbers for floats.

    Args:
        config: The whole config, as plain dicts and lists.

    Raises:
        ConfigError: Naming the key, its value and what is expected; also for numbers that are out
            of their bounds, see `check_bounds`.
    """
    if 'model' not in config:
        raise ConfigError('config model is not there: name the network to build')
    _check_arguments('', config, annotations(Runner.__init__))
    for place, node in dicts('', config):
        if 'type' in node or place in DEFAULT_TYPES:
            _check_component(place, {'type': DEFAULT_TYPES.get(place), **node})
            if 'type' not in node:
                _refuse_others(place, node, _taken_without_type(place))
        elif needs_type(place):
            raise ConfigError(f'config {place} has no type: name the class to build')
        elif place in CALLED:
            taken = inspect.signature(CALLED[place]).parameters
            _refuse_others(place, node, {**dict(taken), **DECLARED.get(place, {})})
            _check_arguments(place, node, annotations(CALLED[place]))
        elif place.startswith(f'{CUSTOM_KEYS}.'):
            _refuse_others(place, node, _taken_for_a_parameter(config))
        elif place in DECLARED:
            _refuse_others(place, node, DECLARED[place])
            _check_arguments(place, node, {})
        check_bounds(place, node)


def check_imports(custom_imports: Any) -> None:
    """Refuse ``custom_imports`` that are not names of modules.

    Raises:
        ConfigError: Naming the value.
    """
    _check_arguments('', {'custom_imports': custom_imports}, {})
    _check_arguments('custom_imports', custom_imports, {})
    _refuse_others('custom_imports', custom_imports, DECLARED['custom_imports'])


def dicts(place: str, node: Any) -> Iterator[tuple[str, dict]]:
    """Yield each dict below a node, outermost first, with its place.

    A number that is not finite is refused on the way, but for a limit that may be infinite.
    """
    if isinstance(node, float) and not math.isfinite(node) and not place.endswith('.max_norm'):
        raise ConfigError(f'config {place} is {node}: a finite number expected')
    if isinstance(node, dict) and place:
        yield place, node
    items: Any = node.items() if isinstance(node, dict) else ()
    if isinstance(node, (list, tuple)):
        items = enumerate(node)
    for key, value in items:
        yield from dicts(f'{place}.{key}' if place else str(key), value)


def _check_component(place: str, node: dict) -> None:
    registry, kind = registry_at(place), node['type']
    if not isinstance(kind, str) and not callable(kind):
        raise ConfigError(f'config {place}.type is {kind!r}: the name of a class expected')
    if registry is None or not isinstance(kind, str):
        return
    component = registry.get(kind) if kind else None
    if component is None:
        if registry is MODELS:
            return  # it may be in another scope: building it will tell
        known = sorted({*registry.module_dict, *(registry.parent or registry).module_dict})
        raise ConfigError(
            f'config {place}.type is {kind!r}: there is no such {registry.name}{hint(kind, known)}'
        )
    _check_arguments(place, node, component_annotations(component))


def _taken_without_type(place: str) -> dict[str, Any]:
    """What there may be in a dict from which mmengine builds its default."""
    registry = registry_at(place)
    default = registry and registry.get(DEFAULT_TYPES[place])
    taken = inspect.signature(default).parameters if default else {}
    return {'type': str, **taken, **DECLARED.get(place, {})}


def _taken_for_a_parameter(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a custom key may set for the parameters that it names, by mmengine's constructor."""
    optimizer = root.OPTIMIZERS.get(config['optim_wrapper']['optimizer']['type'])
    taken = inspect.signature(optimizer).parameters if optimizer else {}
    return {'lr_mult': float, 'decay_mult': float, **taken}


def _refuse_others(place: str, node: dict, known: Mapping[str, Any]) -> None:
    for key in node.keys() - known.keys():
        raise ConfigError(
            f'config {place}.{key} is read by nothing{hint(key, known)}; there may be '
            f'{sorted(known)}'
        )


def _check_arguments(place: str, node: Mapping[str, Any], hints: dict[str, Any]) -> None:
    hints = {**hints, **DECLARED.get(place, {})}
    for key, value in node.items():
        if key in hints and not fits(value, hints[key]):
            where = f'{place}.{key}' if place else key
            raise ConfigError(
                f'config {where} is {short(value)} ({type(value).__name__}): '
                f'{kind_name(hints[key])} expected'
            )
