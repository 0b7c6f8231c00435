"""What a config that came as data may name: parts of networks, and nothing else.

A registry of mmengine imports whatever dotted name a ``type`` gives it, ``os.system`` included,
and some components fetch and unpickle files that their arguments name.
"""

from typing import Any

import mmpretrain.registry
import mmseg.registry
from mmengine.registry import MODELS as ROOT
from torch import nn

from ...registry import MODELS

REGISTRIES = {
    'xaicovid_mm': MODELS,
    'mmpretrain': mmpretrain.registry.MODELS,
    'mmseg': mmseg.registry.MODELS,
    'mmengine': ROOT,
}
FETCHING = {'init_cfg', 'pretrained', 'checkpoint', 'checkpoint_path', 'pretrained_cfg'}


def check_components(config: Any, where: str = 'model') -> None:
    """Refuse a config whose parts are no registered modules, or that would fetch weights.

    Args:
        config: Plain data: dicts, lists, numbers, strings.
        where: Name of this part, for errors.

    Raises:
        ValueError: Naming the key and what it holds.
    """
    if isinstance(config, dict):
        if config.get('_scope_', 'mmseg') not in REGISTRIES:
            raise ValueError(f'{where}._scope_={config["_scope_"]!r} is no library of networks')
        if 'type' in config and not _is_module(config['type']):
            raise ValueError(f'{where}.type={config["type"]!r} is no component of a network')
        for key, value in config.items():
            remote = key == 'model_name' and ':' in str(value)  # timm would ask a hub
            if remote or (key in FETCHING and value):
                raise ValueError(f'{where}.{key}={value!r} would fetch weights: leave it out')
            check_components(value, f'{where}.{key}')
    elif isinstance(config, (list, tuple)):
        for number, value in enumerate(config):
            check_components(value, f'{where}.{number}')


def _is_module(kind: Any) -> bool:
    """Whether a registry holds a network part of that name; nothing is imported to find out."""
    if not isinstance(kind, str):
        return False
    scope, _, name = kind.rpartition('.')
    if scope and scope not in REGISTRIES:
        return False
    for registry in [REGISTRIES[scope]] if scope else REGISTRIES.values():
        registry.import_from_location()
        found = registry.module_dict.get(name)
        if isinstance(found, type) and issubclass(found, nn.Module):
            return True
    return False
