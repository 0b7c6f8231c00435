"""Refuse keys of a config, and options, that nothing reads."""

import inspect
from collections.abc import Callable
from typing import Any

from mmengine import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...utils.errors import ConfigError
from ...utils.nearest import hint, nearest
from .places import places
from .schema import DECLARED, is_class_name, registry_at

OUR_KEYS = {'runner_type', 'auto_scale_lr', 'custom_imports', 'allow_changes'}
FLAGS = {'launcher', 'allow_changes'}
"""Keys that the flags of the commands set, whatever the config says."""
MMENGINE_KEYS = {  # what its Runner reads beside its constructor's arguments
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
}


def check_options(cfg: Config, options: dict[str, Any]) -> None:
    """Refuse ``--cfg-options`` that would have no effect.

    Each part of the dotted name must exist in the config. The last part may also be an argument
    that the component there takes. Where only building the component can tell, the option passes
    (see `argument_errors`).

    Args:
        cfg: Config as the file has it.
        options: Dotted name to value.

    Raises:
        ConfigError: Naming the option, the part that does not exist, and the nearest that does; or
            if the option is a variable of the file, or within one: variables were used while the
            file was read.
    """
    for option in options:
        if option in FLAGS:
            raise ConfigError(
                f'--cfg-options {option}: it is a flag, give --{option.replace("_", "-")} instead'
            )
        node: Any = cfg.to_dict()
        way: list[str] = []
        for part in option.split('.'):
            child = _child(node, part)
            if child is None:
                _check_addition(node, way, part, option)
                break
            node, way = child[0], [*way, part]
        if way and way[0] not in _top_level():
            raise ConfigError(
                f'--cfg-options {option}: {way[0]!r} is a variable of the config file and was used '
                f'when the file was read: set the key that it went into{_users(cfg, way[0])}, or '
                'write a config'
            )


def check_keys(cfg: Config) -> None:
    """Refuse top-level keys that nothing reads and that are no variable of the config itself.

    A variable is a number, a string or a list, and its name must not be close to a key's. A dict is
    never taken for a variable.

    Raises:
        ConfigError: Naming the key and the nearest known one.
    """
    known = _top_level()
    for key, value in cfg.items():
        if key not in known and (isinstance(value, dict) or nearest(key, known)):
            raise ConfigError(
                f'config key {key!r} is read by nothing{hint(key, known)}; correct or remove it'
            )


def _check_addition(node: Any, way: list[str], part: str, option: str) -> None:
    taken = _arguments(way, node)
    if taken is not None and part not in taken:
        place = '.'.join(way) or 'the config'
        keys = {*map(str, node), *taken} if isinstance(node, dict) else taken
        has = sorted(map(str, node)) if isinstance(node, dict) else node
        inner = [f'{place}.{key}' for key in places(node) if key.endswith(f'.{part}')]
        lower = f', but there is {" and ".join(inner)}' if inner else ''
        raise ConfigError(
            f'--cfg-options {option}: {place} has no {part!r}{lower}{hint(part, keys)} '
            f'(it has {has})'
        )
    if taken is None and not option.endswith(f'.{part}'):
        raise ConfigError(f'--cfg-options {option}: {".".join(way)} has no {part!r} to go into')


def _arguments(way: list[str], node: Any) -> set[str] | None:
    """Names that may be added at ``way``; None where only building can tell."""
    if not way or not isinstance(node, dict):
        return _top_level() if not way else set()
    if way == ['randomness']:
        return _parameters(Runner.set_randomness)
    if way[0].endswith('_dataloader') and len(way) == 1:
        return _parameters(DataLoader)
    if way[:3] == ['optim_wrapper', 'paramwise_cfg', 'custom_keys']:
        return None  # named by the parameters of the model
    if way[0] == 'param_scheduler':
        return None  # the runner reads some of its keys
    if 'type' not in node:
        return set(DECLARED.get('.'.join(way), ()))
    registry = registry_at('.'.join(way))
    if registry is None or not is_class_name(node['type']):
        return None
    component = registry.get(node['type'])
    taken = _parameters(component) if component is not None else None
    if taken is not None and way == ['optim_wrapper']:
        taken |= {'constructor', 'paramwise_cfg'}
    return taken


def _parameters(function: Callable) -> set[str] | None:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    return set(parameters) - {'self', 'runner', 'dataloader', 'evaluator'}


def _top_level() -> set[str]:
    arguments = inspect.signature(Runner.__init__).parameters
    return (set(arguments) | OUR_KEYS | MMENGINE_KEYS) - {'self', 'cfg'}


def _child(node: Any, part: str) -> tuple[Any] | None:
    if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
        return (node[int(part)],)
    if isinstance(node, dict) and part in node:
        return (node[part],)
    return None


def _users(cfg: Config, name: str) -> str:
    """Dotted names of the keys further down with that name: most likely one of them was meant."""
    names = [way for way in places(cfg.to_dict()) if way.endswith(f'.{name}')]
    return f' ({", ".join(names)})' if names else ''
