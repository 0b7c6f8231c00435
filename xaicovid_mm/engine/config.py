"""Read configs, and refuse keys, arguments and values that nothing can be built from."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine import Config
from mmengine import registry as mmengine_registry
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings
from torch.utils.data import DataLoader

from ..registry import MODELS, TASK_UTILS
from ..utils.errors import CheckpointError, ConfigError, DataError, error_text
from ..utils.nearest import hint, nearest
from .config_files import find_config
from .config_values import DECLARED, check_imports, check_values, registry_at

__all__ = ['ConfigError', 'argument_errors', 'check_keys', 'check_options', 'load_config']

OUR_KEYS = {'runner_type', 'auto_scale_lr', 'custom_imports', 'allow_changes'}
MMENGINE_KEYS = {  # what its Runner reads beside its constructor's arguments
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
}
REGISTRIES = (MODELS, mmengine_registry.MODELS, TASK_UTILS)
"""Of what is built inside a model or a labeler; types elsewhere are checked before."""
STREAMS = ('labelled_per_batch', 'unlabelled_per_batch')
"""Arguments of the two-stream sampler that make up a batch."""
BUILDERS = {
    '__init__': 'of the runner',
    'setup_env': 'env_cfg',
    'set_randomness': 'randomness',
    'build_logger': 'log_level',
    'build_visualizer': 'visualizer',
    'build_model': 'model',
    'wrap_model': 'model_wrapper_cfg',
    'scale_lr': 'auto_scale_lr',
    'build_optim_wrapper': 'optim_wrapper',
    'build_param_scheduler': 'param_scheduler',
    'build_evaluator': 'val_evaluator or test_evaluator',
    'build_dataloader': 'of a data loader',
    'build_train_loop': 'train_cfg',
    'build_val_loop': 'val_cfg',
    'build_test_loop': 'test_cfg',
    'build_log_processor': 'log_processor',
    'register_default_hooks': 'default_hooks',
    'register_custom_hooks': 'custom_hooks',
}
"""Methods of mmengine's runner that build, and the part of the config that they read."""
_CALLED: dict[str, Callable] = {
    'build_dataloader': DataLoader,
    'set_randomness': Runner.set_randomness,
}


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file, set options in it, and check both.

    Args:
        path: The file; one that is not there may be among ours, see `find_config`.
        options: Dotted name to value.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If the file cannot be read, has a key, or an option a name, that nothing reads,
            a value is of the wrong kind, or batch size and sampler do not agree.
    """
    found = find_config(path)
    try:
        with _no_words():  # of each variable of the environment that is read
            cfg = Config.fromfile(found, import_custom_modules=False)
    except Exception as error:  # a config is a program
        raise ConfigError(
            f'{found} cannot be read: {type(error).__name__}: {error_text(error)}'
        ) from error
    _import(cfg)
    check_options(cfg, options or {})
    try:
        cfg.merge_from_dict(options or {})
    except Exception as error:  # mmengine's text says what does not fit
        raise ConfigError(f'--cfg-options {sorted(options or {})}: {error_text(error)}') from error
    check_keys(cfg)
    check_values(cfg.to_dict())
    _match_batch(cfg, options or {})
    return cfg


@contextmanager
def _no_words() -> Iterator[None]:
    """Let mmengine log nothing but warnings."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)


def _match_batch(cfg: Config, options: Mapping[str, Any]) -> None:
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


def _import(cfg: Config) -> None:
    if imports := cfg.get('custom_imports'):
        check_imports(imports if not isinstance(imports, dict) else dict(imports))
        try:
            import_modules_from_strings(**imports)
        except (ImportError, ValueError) as error:
            raise ConfigError(f'config custom_imports: {error}') from error


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
        if key not in known and (isinstance(value, dict) or nearest(key, known)):
            raise ConfigError(
                f'config key {key!r} is read by nothing{hint(key, known)}; correct or remove it'
            )


@contextmanager
def argument_errors(cfg: Config | None = None) -> Iterator[None]:
    """Turn what goes wrong while something is built from a config into a `ConfigError`.

    Errors that say themselves what to do, of data and checkpoints, pass unchanged. So does what
    goes wrong later, in training.

    Args:
        cfg: The config, to find the place of what was being built.

    Raises:
        ConfigError: Naming the place in the config and the component.
    """
    try:
        yield
    except (ConfigError, DataError, CheckpointError):
        raise
    except Exception as error:
        if cfg and isinstance(error, TypeError) and "argument 'weak_inputs'" in str(error):
            raise ConfigError(_unused_views(cfg.to_dict())) from error
        built = _built(error)
        if built is None or (isinstance(error, OSError) and error.filename):
            raise
        what, called, given = built
        place = _place(cfg.to_dict(), given) if cfg and given else ''
        near = ''
        if isinstance(error, TypeError) and "unexpected keyword argument '" in str(error):
            name = str(error).split("argument '")[1].split("'")[0]
            near = hint(name, inspect.signature(called).parameters) if called else ''
        kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
        text = ' '.join(error_text(error).split())[:500]
        if isinstance(error, KeyError) and ' registry. Please check' in text:
            name = text.split()[0]
            kind, text = '', f'there is no {name!r} to build'
            near = hint(name, (known for registry in REGISTRIES for known in registry.module_dict))
        raise ConfigError(
            f'config {place or what}: {kind}{text}{near}; correct the config or the option'
        ) from error


def _unused_views(config: dict[str, Any]) -> str:
    """What is wrong where slices get two views and no hook takes the second out of the batch."""
    ways = _ways(config.get('train_dataloader'), 'train_dataloader')
    views = [way for way in ways if way.endswith('.two_views')]
    return (
        f'config {" and ".join(views)}: unlabelled slices get a plain view (weak_inputs) that no '
        'hook takes: add one to default_hooks, such as pseudo_label of type PseudoLabelHook, or '
        'set two_views=False'
    )


def _built(error: BaseException) -> tuple[str, Callable | None, Mapping | None] | None:
    """What was built when an error rose: its name, what was called, and its part of the config."""
    found: tuple[str, Callable | None, Mapping | None] | None = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        module, function = frame.f_globals.get('__name__'), frame.f_code.co_name
        local = frame.f_locals
        if module == 'mmengine.registry.build_functions' and 'cfg' in local:
            part = local['cfg'] if isinstance(local['cfg'], Mapping) else {}
            name = str(part.get('type') or (found[0] if found else 'of a component'))
            found = name, local.get('obj_cls'), part
        elif module == 'mmengine.runner.runner' and function in BUILDERS:
            found = BUILDERS[function], _CALLED.get(function), None
        trace = trace.tb_next
    return found


def _place(config: Any, part: Mapping, way: str = '') -> str:
    """Dotted name of the dict of a config that a component was built from; empty if unknown."""
    items: Iterable = config.items() if isinstance(config, dict) else ()
    if isinstance(config, (list, tuple)):
        items = enumerate(config)
    for key, value in items:
        name = f'{way}.{key}' if way else str(key)
        if isinstance(value, dict) and 'type' in value and _is_part(value, part):
            return name
        if place := _place(value, part, name):
            return place
    return ''


def _is_part(value: Mapping, part: Mapping) -> bool:
    return all(key in part and str(part[key]) == str(item) for key, item in value.items())


def _check_addition(node: Any, way: list[str], part: str, option: str) -> None:
    taken = _arguments(way, node)
    if taken is not None and part not in taken:
        place = '.'.join(way) or 'the config'
        keys = {*map(str, node), *taken} if isinstance(node, dict) else taken
        has = sorted(map(str, node)) if isinstance(node, dict) else node
        inner = [f'{place}.{key}' for key in _ways(node, '') if key.endswith(f'.{part}')]
        lower = f', but there is {" and ".join(inner)}' if inner else ''
        raise ConfigError(
            f'--cfg-options {option}: {place} has no {part!r}{hint(part, keys)}{lower}; '
            f'it has {has}'
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
    if registry is None or not isinstance(node['type'], str):
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
