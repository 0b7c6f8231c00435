"""Check the values of a config against the annotations of what is built from them."""

import inspect
import math
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from mmengine import registry as root
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from .. import registry as ours
from ..utils.errors import ConfigError
from ..utils.nearest import hint

MANY_WORKERS = 512
COUNTS = {'max_epochs', 'max_iters', 'val_interval', 'batch_size', 'window_size'}
"""Keys of numbers that are 1 or more, wherever they stand."""
REGISTRIES: dict[str, Registry | None] = {
    'model': ours.MODELS,
    'model_wrapper_cfg': root.MODEL_WRAPPERS,
    'data_preprocessor': ours.MODELS,
    'dataset': ours.DATASETS,
    'pipeline': ours.TRANSFORMS,
    'sampler': ours.DATA_SAMPLERS,
    'batch_sampler': ours.DATA_SAMPLERS,
    'val_evaluator': ours.METRICS,
    'test_evaluator': ours.METRICS,
    'labeler': ours.TASK_UTILS,
    'calibration': ours.MODELS,
    'optim_wrapper': ours.OPTIM_WRAPPERS,
    'optimizer': root.OPTIMIZERS,
    'clip_grad': None,  # its type is no class
    'param_scheduler': root.PARAM_SCHEDULERS,
    'train_cfg': root.LOOPS,
    'val_cfg': root.LOOPS,
    'test_cfg': root.LOOPS,
    'visualizer': root.VISUALIZERS,
    'vis_backends': ours.VISBACKENDS,
    'log_processor': root.LOG_PROCESSORS,
    'init_cfg': ours.WEIGHT_INITIALIZERS,
}
"""Key to the registry of the types at or below it."""

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

LISTS = ('custom_hooks', 'val_evaluator', 'test_evaluator', 'param_scheduler')

CALLED: dict[str, Callable] = {
    'randomness': Runner.set_randomness,
    'env_cfg.mp_cfg': set_multi_processing,
    **dict.fromkeys(LOADERS, DataLoader.__init__),
}
"""Place of a dict without a type to what is called with it."""

DEFAULT_TYPES = {
    'log_processor': 'LogProcessor',
    'optim_wrapper': 'OptimWrapper',
    'train_cfg': 'EpochBasedTrainLoop',
    'val_cfg': 'ValLoop',
    'test_cfg': 'TestLoop',
    'visualizer': 'Visualizer',
}
"""Place to what mmengine builds there, if no type is given."""

DECLARED: dict[str, dict[str, Any]] = {
    '': {
        'default_hooks': dict[str, dict | None] | None,  # None leaves a hook out
        'custom_hooks': list[dict] | None,
        **dict.fromkeys(('val_evaluator', 'test_evaluator'), dict | list[dict] | None),
        'param_scheduler': dict | list[dict] | None,
        'runner_type': str,
        'custom_imports': dict,
        'auto_scale_lr': dict | None,
        'model_wrapper_cfg': dict | None,
        'compile': bool | dict,
        'sync_bn': str | None,
        'find_unused_parameters': bool,
        'allow_changes': bool,
    },
    'env_cfg': {'cudnn_benchmark': bool, 'mp_cfg': dict, 'dist_cfg': dict},
    'env_cfg.mp_cfg': {'mp_start_method': Literal['fork', 'spawn', 'forkserver']},
    'env_cfg.dist_cfg': {'backend': str, 'timeout': float | None, 'init_backend': str, 'port': int},
    'log_processor': {'window_size': int, 'by_epoch': bool, 'num_digits': int},
    'auto_scale_lr': {'enable': bool, 'base_batch_size': int},
    'optim_wrapper': {
        'optimizer': dict,
        'clip_grad': dict | None,
        'paramwise_cfg': dict | None,
        'constructor': str,
    },
    'train_cfg': {'by_epoch': bool, 'max_iters': int},
    'visualizer': {'vis_backends': list[dict] | None},  # mmengine's annotation is of data
    'optim_wrapper.clip_grad': {'max_norm': float, 'norm_type': float, 'clip_value': float},
    'optim_wrapper.paramwise_cfg': {
        'custom_keys': dict[str, dict[str, float]],
        **dict.fromkeys(
            (
                'bias_lr_mult',
                'bias_decay_mult',
                'norm_decay_mult',
                'flat_decay_mult',
                'dwconv_decay_mult',
                'dcn_offset_lr_mult',
            ),
            float,
        ),
        'bypass_duplicate': bool,
    },
    'custom_imports': {'imports': str | list[str], 'allow_failed_imports': bool},
    'randomness': {'seed': int | None},
    **dict.fromkeys(
        LOADERS,
        {
            'dataset': dict,
            'sampler': dict | None,
            'batch_sampler': dict | None,
            'collate_fn': dict | None,
            'num_batch_per_epoch': int | None,
        },
    ),
}
"""Place to the kinds of its values, where annotations lack or are wrong."""


def check_values(config: Mapping[str, Any]) -> None:
    """Refuse values of a kind that what is built from the config does not take.

    Arguments without an annotation pass. Lists are taken for tuples and whole numbers for floats.

    Args:
        config: The whole config, as plain dicts and lists.

    Raises:
        ConfigError: Naming the key, its value and what is expected.
    """
    if 'model' not in config:
        raise ConfigError('config model is not there: name the network to build')
    _check_arguments('', config, _hints(Runner.__init__))
    for place, node in _dicts('', config):
        if 'type' in node or place in DEFAULT_TYPES:
            _check_component(place, {'type': DEFAULT_TYPES.get(place), **node})
            if 'type' not in node:
                _refuse_others(place, node, _taken_without_type(place))
        elif _needs_type(place):
            raise ConfigError(f'config {place} has no type: name the class to build')
        elif place in CALLED:
            taken = inspect.signature(CALLED[place]).parameters
            _refuse_others(place, node, {**dict(taken), **DECLARED.get(place, {})})
            _check_arguments(place, node, _hints(CALLED[place]))
        elif place in DECLARED:
            _refuse_others(place, node, DECLARED[place])
            _check_arguments(place, node, {})
        _check_counts(place, node)


def _check_counts(place: str, node: dict) -> None:
    for key in COUNTS & node.keys():
        if isinstance(node[key], int) and node[key] < 1:
            raise ConfigError(f'config {place}.{key} is {node[key]}: 1 or more expected')
    if place.endswith('_dataloader') and (workers := node.get('num_workers', 0)) > MANY_WORKERS:
        raise ConfigError(
            f'config {place}.num_workers is {workers}: {MANY_WORKERS} or less expected'
        )


def check_imports(custom_imports: Any) -> None:
    """Refuse ``custom_imports`` that are not names of modules.

    Raises:
        ConfigError: Naming the value.
    """
    _check_arguments('', {'custom_imports': custom_imports}, {})
    _check_arguments('custom_imports', custom_imports, {})
    _refuse_others('custom_imports', custom_imports, DECLARED['custom_imports'])


def _dicts(place: str, node: Any) -> Iterator[tuple[str, dict]]:
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
        yield from _dicts(f'{place}.{key}' if place else str(key), value)


def _check_component(place: str, node: dict) -> None:
    registry, kind = registry_at(place), node['type']
    if not isinstance(kind, str) and not callable(kind):
        raise ConfigError(f'config {place}.type is {kind!r}: the name of a class expected')
    if registry is None or not isinstance(kind, str):
        return
    component = registry.get(kind) if kind else None
    if component is None:
        if registry is ours.MODELS:
            return  # it may be in another scope: building it will tell
        known = sorted({*registry.module_dict, *(registry.parent or registry).module_dict})
        raise ConfigError(
            f'config {place}.type is {kind!r}: there is no such {registry.name}{hint(kind, known)}'
        )
    _check_arguments(place, node, _component_hints(component))


def _taken_without_type(place: str) -> dict[str, Any]:
    """What there may be in a dict from which mmengine builds its default."""
    registry = registry_at(place)
    default = registry and registry.get(DEFAULT_TYPES[place])
    taken = inspect.signature(default).parameters if default else {}
    return {'type': str, **taken, **DECLARED.get(place, {})}


def _needs_type(place: str) -> bool:
    above, _, last = place.rpartition('.')
    if last.isdigit():
        return above in LISTS or above.endswith('.pipeline')
    return (
        place in ('model', 'visualizer')
        or above == 'default_hooks'
        or last in ('dataset', 'optimizer')
    )


def registry_at(place: str) -> Registry | None:
    """Return the registry of what a place of a config builds; None where it is not known."""
    parts = place.split('.')
    if parts[0] in ('default_hooks', 'custom_hooks'):
        if len(parts) == 2:
            return ours.HOOKS
        parts = parts[2:]
    return next((REGISTRIES[part] for part in reversed(parts) if part in REGISTRIES), None)


def _component_hints(component: Callable) -> dict[str, Any]:
    """The annotations of a constructor, and of those that it passes ``**kwargs`` on to."""
    if not inspect.isclass(component):
        return _hints(component)
    hints: dict[str, Any] = {}
    for base in component.__mro__:
        if '__init__' in vars(base):
            init = vars(base)['__init__']
            hints = {**_hints(init), **hints}
            kinds = [p.kind for p in inspect.signature(init).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return hints


def _refuse_others(place: str, node: dict, known: Mapping[str, Any]) -> None:
    for key in node.keys() - known.keys():
        raise ConfigError(
            f'config {place}.{key} is read by nothing{hint(key, known)}; there may be '
            f'{sorted(known)}'
        )


def _hints(function: Callable) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function, localns=vars(typing))
    except NameError:  # an annotation that exists for type checkers alone
        hints = {}
    return {name: kind for name, kind in hints.items() if name != 'return'}


def _check_arguments(place: str, node: Mapping[str, Any], hints: dict[str, Any]) -> None:
    hints = {**hints, **DECLARED.get(place, {})}
    for key, value in node.items():
        if key in hints and not _fits(value, hints[key]):
            where = f'{place}.{key}' if place else key
            raise ConfigError(
                f'config {where} is {_short(value)} ({type(value).__name__}): '
                f'{_name(hints[key])} expected'
            )


def _fits(value: Any, kind: Any) -> bool:
    return any(_is_a(form, kind) for form in (value, _with(tuple, value), _with(list, value)))


def _is_a(value: Any, kind: Any) -> bool:
    try:
        check_type(value, kind, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return False
    return True


def _with(sequence: type, value: Any) -> Any:
    """The value with every list or tuple in it as ``sequence``."""
    if isinstance(value, (list, tuple)):
        return sequence(_with(sequence, item) for item in value)
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _name(kind: Any) -> str:
    """An annotation as a user would write it."""
    text = inspect.formatannotation(kind)
    for prefix in ('typing.', 'collections.abc.', 'pathlib.', 'torch.nn.modules.module.'):
        text = text.replace(prefix, '')
    return text.replace('NoneType', 'None')
