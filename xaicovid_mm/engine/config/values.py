"""Check the values of a config against the annotations of what is built from them."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine import registry as root
from mmengine.runner import Runner

from ...registry import MODELS, RUNNERS
from ...utils.errors import ConfigError
from ...utils.nearest import hint, nearest
from .bounds import check_bounds
from .kinds import annotations, component_annotations, fits, kind_name, short
from .schema import (
    CALLED,
    DECLARED,
    DEFAULT_TYPES,
    EVALUATORS,
    is_class_name,
    needs_type,
    registry_at,
)

CUSTOM_KEYS = 'optim_wrapper.paramwise_cfg.custom_keys'
MISSPELT = 0.85
"""How like a name a custom key must be to be taken for a misspelt one."""


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
    _check_runner(config.get('runner_type', 'CTRunner'))
    for place in EVALUATORS:
        _refuse_duplicate_metrics(place, config.get(place))


def idle_custom_keys(optim_wrapper: Any, names: Sequence[str]) -> list[str]:
    """Return the custom keys of an optimizer that name no parameter of the network.

    They change nothing. Ours may be idle: a schedule names the last layers of several networks.

    Args:
        optim_wrapper: Its config.
        names: Names of the parameters.

    Raises:
        ConfigError: If such a key looks like a misspelt part of a name.
    """
    settings = optim_wrapper.get('paramwise_cfg') if isinstance(optim_wrapper, dict) else None
    parts = {part for name in names for part in name.split('.')}
    idle = [
        key
        for key in (settings or {}).get('custom_keys', ())
        if not any(key in name for name in names)
    ]
    for key in idle:
        if near := nearest(key, parts, MISSPELT):
            raise ConfigError(
                f'config {CUSTOM_KEYS}.{key}: no parameter of the network has {key!r} in its '
                f'name, did you mean {near!r}?'
            )
    return idle


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
    if not is_class_name(kind) and not callable(kind):
        raise ConfigError(f'config {place}.type is {kind!r}: the name of a class expected')
    if registry is None or not isinstance(kind, str):
        return
    component = registry.get(kind)
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
    kind = (config['optim_wrapper'].get('optimizer') or {}).get('type')
    optimizer = root.OPTIMIZERS.get(kind) if is_class_name(kind) else None
    taken = inspect.signature(optimizer).parameters if optimizer else {}
    return {'lr_mult': float, 'decay_mult': float, **taken}


def _check_runner(kind: Any) -> None:
    built = RUNNERS.get(kind) if is_class_name(kind) else None
    if not (isinstance(built, type) and issubclass(built, Runner)):
        known = sorted(RUNNERS.module_dict)
        raise ConfigError(f'config runner_type is {kind!r}, one of {known} expected')


def _refuse_duplicate_metrics(place: str, metrics: Any) -> None:
    """Refuse metrics whose scores would have the same names, before the first validation does."""
    seen = set()
    for index, metric in enumerate(metrics if isinstance(metrics, (list, tuple)) else ()):
        kind = metric['type'], metric.get('prefix')
        if kind in seen:
            raise ConfigError(
                f'config {place}.{index} is a second {kind[0]}, whose scores would have the same '
                'names: take one out, or give it a prefix of its own'
            )
        seen.add(kind)


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
