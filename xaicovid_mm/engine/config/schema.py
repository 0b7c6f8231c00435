"""What stands where in a config: registries of its types, defaults, and kinds of values."""

from collections.abc import Callable
from typing import Any, Literal

from mmengine import registry as root
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader

from ... import registry as ours

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

EVALUATORS = ('val_evaluator', 'test_evaluator')

LISTS = ('custom_hooks', *EVALUATORS, 'param_scheduler')

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
        **dict.fromkeys(EVALUATORS, dict | list[dict] | None),
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
            'sampler': dict,  # without one, slices would come in the order of the store
            'batch_sampler': dict | None,
            'collate_fn': dict | None,
            'num_batch_per_epoch': int | None,
        },
    ),
}
"""Place to the kinds of its values, where annotations lack or are wrong."""


def registry_at(place: str) -> Registry | None:
    """Return the registry of what a place of a config builds; None where it is not known."""
    parts = place.split('.')
    if parts[0] in ('default_hooks', 'custom_hooks'):
        if len(parts) == 2:
            return ours.HOOKS
        parts = parts[2:]
    return next((REGISTRIES[part] for part in reversed(parts) if part in REGISTRIES), None)


def is_class_name(kind: Any) -> bool:
    """Return whether a type is a name that a registry can look up; one with a dot first is not."""
    return isinstance(kind, str) and bool(kind) and not kind.startswith('.')


def needs_type(place: str) -> bool:
    """Return whether a dict at a place must name the class to build from it."""
    above, _, last = place.rpartition('.')
    if last.isdigit():
        return above in LISTS or above.endswith('.pipeline')
    return (
        place in ('model', 'visualizer')
        or above == 'default_hooks'
        or last in ('dataset', 'optimizer')
    )
