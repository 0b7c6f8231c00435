"""Check that the config of a shared model names parts of networks and nothing else.

This is needed because a registry of mmengine imports any dotted name that a ``type`` holds, even
``os.system``, and because some components download and unpickle files named in their arguments.
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
DOWNLOADING = {'init_cfg', 'pretrained', 'checkpoint', 'checkpoint_path', 'pretrained_cfg'}


def check_components(config: Any, where: str = 'model') -> None:
    """Refuse a config that names anything but registered modules, or that would download weights.

    Args:
        config: Plain data: dicts, lists, numbers and strings.
        where: Dotted name of this part of the config, for the error.

    Raises:
        ValueError: If a part is refused; the message names the key and its value.
    """
    if isinstance(config, dict):
        if config.get('_scope_', 'mmseg') not in REGISTRIES:
            raise ValueError(f'{where}._scope_={config["_scope_"]!r} is no library of networks')
        if 'type' in config and not _is_module(config['type']):
            raise ValueError(f'{where}.type={config["type"]!r} is no component of a network')
        for key, value in config.items():
            remote = key == 'model_name' and ':' in str(value)  # timm would download it
            if remote or (key in DOWNLOADING and value):
                raise ValueError(f'{where}.{key}={value!r} would fetch weights: leave it out')
            check_components(value, f'{where}.{key}')
    elif isinstance(config, (list, tuple)):
        for number, value in enumerate(config):
            check_components(value, f'{where}.{number}')


def _is_module(kind: Any) -> bool:
    """Return whether a registry holds a network part of that name; imports no dotted name."""
    if not isinstance(kind, str):
        return False
    scope, _, name = kind.rpartition('.')
    if scope and scope not in REGISTRIES:
        return False
    for registry in [REGISTRIES[scope]] if scope else REGISTRIES.values():
        registry.import_from_location()
        component = registry.module_dict.get(name)
        if isinstance(component, type) and issubclass(component, nn.Module):
            return True
    return False
