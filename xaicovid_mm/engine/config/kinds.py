"""Compare values with the annotations of what takes them."""

import inspect
import types
import typing
from collections.abc import Callable, Collection
from typing import Any

from typeguard import CollectionCheckStrategy, TypeCheckError, check_type


def annotations(function: Callable) -> dict[str, Any]:
    """Return the annotations of the arguments of a function; none that cannot be resolved."""
    try:
        hints = typing.get_type_hints(function, localns=vars(typing))
    except NameError:  # an annotation that exists for type checkers alone
        hints = {}
    return {name: kind for name, kind in hints.items() if name != 'return'}


def component_annotations(component: Callable) -> dict[str, Any]:
    """Return the annotations of a constructor, and of those that it passes ``**kwargs`` on to."""
    if not inspect.isclass(component):
        return annotations(component)
    hints: dict[str, Any] = {}
    for base in component.__mro__:
        if '__init__' in vars(base):
            init = vars(base)['__init__']
            hints = {**annotations(init), **hints}
            kinds = [p.kind for p in inspect.signature(init).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                break
    return hints


def fits(value: Any, kind: Any) -> bool:
    """Return whether a value is of a kind; lists pass as tuples, whole numbers as floats."""
    forms = [value, _with(tuple, value), _with(list, value)]
    if isinstance(value, (list, tuple)):
        forms.append([_with(tuple, item) for item in value])
    return any(_is_a(form, kind) for form in forms)


def _is_a(value: Any, kind: Any) -> bool:
    if _holds_flag(value) and not _takes_flag(kind, inside=not isinstance(value, bool)):
        return False  # Python takes a flag for a number
    try:
        check_type(value, kind, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return False
    return True


def _holds_flag(value: Any) -> bool:
    if isinstance(value, (list, tuple, dict)):
        return any(map(_holds_flag, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool)


def _takes_flag(kind: Any, inside: bool) -> bool:
    """Whether a value of a kind may be a flag, or else may hold one inside."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType, typing.Literal):
        return any(_takes_flag(part, inside) for part in parts)
    holder = origin or kind
    if inside and inspect.isclass(holder) and issubclass(holder, Collection) and holder is not str:
        return not parts or any(
            _takes_flag(part, inside=one) for part in parts for one in (False, True)
        )
    return kind in (Any, object) or (not inside and (kind is bool or isinstance(kind, bool)))


def _with(sequence: type, value: Any) -> Any:
    """The value with every list or tuple in it as ``sequence``."""
    if isinstance(value, (list, tuple)):
        return sequence(_with(sequence, item) for item in value)
    return value


def short(value: Any) -> str:
    """Return a value for a message, cut at 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def kind_name(kind: Any) -> str:
    """Return an annotation as a user would write it."""
    text = inspect.formatannotation(kind)
    for prefix in ('typing.', 'collections.abc.', 'pathlib.', 'torch.nn.modules.module.'):
        text = text.replace(prefix, '')
    return text.replace('NoneType', 'None')
