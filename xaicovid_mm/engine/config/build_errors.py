"""Say what in a config is wrong, when something cannot be built from it."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine import Config
from mmengine import registry as mmengine_registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...registry import MODELS, TASK_UTILS
from ...utils.errors import CheckpointError, ConfigError, DataError, error_text
from ...utils.nearest import hint
from .places import place_of, places

REGISTRIES = (MODELS, mmengine_registry.MODELS, TASK_UTILS)
"""Of what is built inside a model or a labeler; types elsewhere are checked before."""
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
        place = place_of(cfg.to_dict(), given) if cfg and given else ''
        raise ConfigError(
            f'config {place or what}: {_reason(error, called)}; correct the config or the option'
        ) from error


def _reason(error: Exception, called: Callable | None) -> str:
    """What went wrong, and which name was most likely meant."""
    text = ' '.join(error_text(error).split())[:500]
    if isinstance(error, KeyError) and ' registry. Please check' in text:
        name = text.split()[0]
        known = {known for registry in REGISTRIES for known in registry.module_dict}
        if name in MODELS.module_dict or name in TASK_UTILS.module_dict:
            return f"{name!r} is ours, but the config has no default_scope = 'xaicovid_mm': add it"
        return f'there is no {name!r} to build{hint(name, known)}'
    near = ''
    if called and isinstance(error, TypeError) and "unexpected keyword argument '" in str(error):
        name = str(error).split("argument '")[1].split("'")[0]
        near = hint(name, inspect.signature(called).parameters)
    kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
    return f'{kind}{text}{near}'


def _unused_views(config: dict[str, Any]) -> str:
    """What is wrong where slices get two views and no hook takes the second out of the batch."""
    ways = places(config.get('train_dataloader'), 'train_dataloader')
    views = [way for way in ways if way.endswith('.two_views')]
    return (
        f'config {" and ".join(views)}: unlabelled slices get a weak view (weak_inputs) that no '
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
