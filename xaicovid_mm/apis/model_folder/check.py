"""Check the description of a model against what is allowed, before anything is built."""

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from .allowed import description
from .kinds import Kind

SHOWN = 300
"""Characters of an error message: a value of the file may be long."""

_Validator: Any = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        'integer', lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def check_description(content: Any) -> None:
    """Refuse a description with anything that is not allowed.

    Args:
        content: Plain data, as JSON gives it: dicts, lists, finite numbers, text.

    Raises:
        ValueError: Naming the key, its value and what is allowed.
    """
    _check(content, description())
    made = content.get('preprocessing')
    if made and made['window'][0] >= made['window'][1]:
        raise ValueError(f'preprocessing.window={made["window"]}: give the lower number first')
    if made and made['size'][0] != made['size'][1]:
        raise ValueError(f'preprocessing.size={made["size"]}: slices are square')


def _check(content: Any, schema: Kind) -> None:
    """Raise for the first fault; later ones are not looked for, as there may be very many."""
    try:
        fault = next(_Validator(schema).iter_errors(_without_none(content)), None)
    except RecursionError as error:
        raise ValueError('description: nested too deeply') from error
    if fault is not None:
        key = '.'.join(str(part) for part in fault.absolute_path)
        raise ValueError(f'{key or "description"}: {_short(fault.message)}')


def _without_none(content: Any) -> Any:
    """Leave out what is null: such an argument is not given."""
    if isinstance(content, dict):
        return {k: _without_none(v) for k, v in content.items() if v is not None}
    if isinstance(content, list):
        return [_without_none(v) for v in content]
    return content


def _short(message: str) -> str:
    return message if len(message) <= SHOWN else f'{message[:SHOWN]} ...'
