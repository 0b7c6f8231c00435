"""Refuse a training that would read patients or masks that it must not see."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...data_prep.store.schema import ROLES
from ...registry import HOOKS
from ...utils.errors import ConfigError
from .values import dicts


def check_roles(config: Mapping[str, Any]) -> None:
    """Refuse datasets that open patients of validation or test, or hidden masks, to training.

    Training reads 'labelled' and 'unlabelled', its validation 'val', its hooks all but 'test'.
    Hidden masks (``reveal``) are for the audit of pseudo labels, which teaches nothing, and for
    the oracle, which is no method.

    Args:
        config: The whole config, as plain dicts and lists.

    Raises:
        ConfigError: Naming the key, its value and what is allowed.
    """
    for top, part, allowed, may_reveal in _readers(config):
        for place, node in dicts(top, part):
            roles = node.get('roles')
            named = roles if isinstance(roles, (list, tuple)) else ()
            if any(role in ROLES and role not in allowed for role in named):
                raise ConfigError(
                    f'config {place}.roles is {roles!r}: only {" and ".join(allowed)} may be read '
                    'there. To use other patients, give them such a role in a split '
                    '(`xaicovid prepare split --file`)'
                )
            if node.get('reveal') and not may_reveal:
                raise ConfigError(
                    f'config {place}.reveal is {node["reveal"]!r}: it opens the masks and classes '
                    'that training must not see. Leave it out, but in a PseudoLabelAuditHook or '
                    'for an OracleLabelHook'
                )


def _readers(config: Mapping[str, Any]) -> Iterator[tuple[str, Any, tuple[str, ...], bool]]:
    """Yield what reads slices in training: place, its config, its roles, whether it may reveal."""
    hooks = {f'default_hooks.{k}': hook for k, hook in (config.get('default_hooks') or {}).items()}
    hooks |= {f'custom_hooks.{i}': hook for i, hook in enumerate(config.get('custom_hooks') or ())}
    is_oracle = any(_is_a(hook, 'OracleLabelHook') for hook in hooks.values())
    yield 'train_dataloader', config.get('train_dataloader'), ('labelled', 'unlabelled'), is_oracle
    yield 'val_dataloader', config.get('val_dataloader'), ('val',), False
    for place, hook in hooks.items():
        yield place, hook, ('labelled', 'unlabelled', 'val'), _is_a(hook, 'PseudoLabelAuditHook')


def _is_a(hook: dict | None, name: str) -> bool:
    kind = (hook or {}).get('type')
    built = HOOKS.get(kind) if isinstance(kind, str) else kind
    return isinstance(built, type) and issubclass(built, HOOKS.get(name))
