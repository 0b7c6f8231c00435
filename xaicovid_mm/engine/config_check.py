"""Typing errors in configs, found before anything is built."""

import difflib
import inspect
from typing import Any

from mmengine import Config
from mmengine.runner import Runner

OURS = {'runner_type', 'auto_scale_lr', 'env_cfg', 'default_scope', 'custom_imports'}
LOOPS = {'train_cfg', 'val_cfg', 'test_cfg'}


class ConfigError(ValueError):
    """A config names something that nothing reads."""


def check_options(cfg: Config, options: dict[str, Any]) -> None:
    """Refuse ``--cfg-options`` that would add what the config does not have.

    A new argument of a component is fine, its constructor knows it or refuses it; everything on
    the way to it must exist.

    Args:
        cfg: Config as the file has it.
        options: Dotted name to value.

    Raises:
        ConfigError: Naming the option, the part that does not exist, and the nearest that does.
    """
    for name in options:
        node: Any = cfg
        *way, last = name.split('.')
        for i, part in enumerate(way):
            node = _step(node, part, '.'.join(way[:i]), name)
        closed = not way or isinstance(node, (list, tuple)) or way[0] in LOOPS
        if closed or not isinstance(node, dict) or 'type' not in node:
            _step(node, last, '.'.join(way), name)


def check_keys(cfg: Config) -> None:
    """Refuse top-level keys that nothing reads and that are no variable of the config itself.

    A variable (a number, a string, a list) may have any name; a dict with ``type`` may not.

    Raises:
        ConfigError: Naming the key and the nearest known one.
    """
    known = set(inspect.signature(Runner.__init__).parameters) | OURS
    for key, value in cfg.items():
        if key not in known and (isinstance(value, dict) or _near(key, known)):
            raise ConfigError(
                f'config key {key!r} is read by nothing{_hint(key, known)}; correct or remove it'
            )


def _step(node: Any, part: str, place: str, option: str) -> Any:
    if isinstance(node, Config):
        node = node.to_dict()
    if isinstance(node, (list, tuple)) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    if isinstance(node, dict) and part in node:
        return node[part]
    keys = list(node) if isinstance(node, dict) else []
    raise ConfigError(
        f'--cfg-options {option}: {place or "the config"} has no {part!r}{_hint(part, keys)}; '
        f'it has {sorted(map(str, keys))}'
    )


def _near(key: str, known: Any) -> list[str]:
    return difflib.get_close_matches(key, list(known), n=1, cutoff=0.75)


def _hint(key: str, known: Any) -> str:
    near = _near(key, known)
    return f', did you mean {near[0]!r}?' if near else ''
