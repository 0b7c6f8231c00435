"""Read configs, and refuse keys and arguments that nothing reads."""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine import Config
from mmengine.registry import LOOPS, OPTIM_WRAPPERS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..registry import HOOKS
from .config_files import find_config

OUR_KEYS = {'runner_type', 'auto_scale_lr', 'custom_imports'}
MMENGINE_KEYS = {  # what its Runner reads beside its constructor's arguments
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
}
REGISTRY_OF = {
    'train_cfg': LOOPS,
    'val_cfg': LOOPS,
    'test_cfg': LOOPS,
    'optim_wrapper': OPTIM_WRAPPERS,
    'default_hooks': HOOKS,
}


class ConfigError(ValueError):
    """A config names something that nothing reads."""


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file, set options in it, and check both.

    Args:
        path: The file; one that is not there may be among ours, see `find_config`.
        options: Dotted name to value.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If the file has a key, or an option a name, that nothing reads.
    """
    cfg = Config.fromfile(find_config(path))
    check_options(cfg, options or {})
    cfg.merge_from_dict(options or {})
    check_keys(cfg)
    return cfg


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
        if key not in known and (isinstance(value, dict) or _near(key, known)):
            raise ConfigError(
                f'config key {key!r} is read by nothing{_hint(key, known)}; correct or remove it'
            )


@contextmanager
def argument_errors() -> Iterator[None]:
    """Turn the TypeError of an argument that a component does not take into a `ConfigError`.

    Only calls by mmengine's builders count. A TypeError from within a constructor or from training
    is a fault of the code and passes unchanged.

    Raises:
        ConfigError: Naming the component, the argument and the nearest it takes.
    """
    try:
        yield
    except TypeError as error:
        called = _refused_call(error)
        if called is None:
            raise
        name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        near = _hint(name[1], inspect.signature(called).parameters) if name else ''
        raise ConfigError(f'config: {error}{near}; correct the config or the option') from error


def _refused_call(error: TypeError) -> Callable | None:
    """The class or function that a builder called with arguments that do not fit, or None."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or 'argument' not in str(error):
        return None
    frame = trace.tb_frame
    module, function = frame.f_globals.get('__name__'), frame.f_code.co_name
    if (module, function) == ('mmengine.registry.build_functions', 'build_from_cfg'):
        return frame.f_locals.get('obj_cls')
    if module == 'mmengine.runner.runner':
        return {'build_dataloader': DataLoader, '__init__': Runner.set_randomness}.get(function)
    return None


def _check_addition(node: Any, way: list[str], part: str, option: str) -> None:
    taken = _arguments(way, node)
    if taken is not None and part not in taken:
        place = '.'.join(way) or 'the config'
        keys = {*map(str, node), *taken} if isinstance(node, dict) else taken
        has = sorted(map(str, node)) if isinstance(node, dict) else node
        raise ConfigError(
            f'--cfg-options {option}: {place} has no {part!r}{_hint(part, keys)}; it has {has}'
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
    if 'type' not in node:
        return set()
    registry = REGISTRY_OF.get(way[0])
    if registry is None or len(way) > 1 + (way[0] == 'default_hooks'):
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
    names = [way for way in _ways(cfg.to_dict(), '') if way.endswith(f'.{name}')]
    return f' ({", ".join(names)})' if names else ''


def _ways(node: Any, start: str) -> Iterator[str]:
    items: Iterable = node.items() if isinstance(node, dict) else ()
    if isinstance(node, (list, tuple)):
        items = enumerate(node)
    for key, value in items:
        way = f'{start}.{key}' if start else str(key)
        yield way
        yield from _ways(value, way)


def _near(key: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(key, list(known), n=1, cutoff=0.75)


def _hint(key: str, known: Iterable[str]) -> str:
    near = _near(key, known)
    return f', did you mean {near[0]!r}?' if near else ''
