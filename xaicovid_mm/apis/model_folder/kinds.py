"""Kinds of values in a model folder, as JSON Schema."""

from typing import Any

Kind = dict[str, Any]

FLAG: Kind = {'type': 'boolean'}
ANY: Kind = {}


def number(low: float, high: float) -> Kind:
    """A number from ``low`` to ``high``."""
    return {'type': 'number', 'minimum': low, 'maximum': high}


def whole(low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""
    return {'type': 'integer', 'minimum': low, 'maximum': high}


def choice(*values: Any) -> Kind:
    """One of some values."""
    return {'enum': [*values]}


def text(most: int, pattern: str = '') -> Kind:
    """Text of up to ``most`` characters, all of it of ``pattern``."""
    return {'type': 'string', 'maxLength': most, 'pattern': rf'\A{pattern or ".*"}\Z'}


def each(kind: Kind, fewest: int = 0, most: int = 16) -> Kind:
    """A list of values of a kind."""
    return {'type': 'array', 'minItems': fewest, 'maxItems': most, 'items': kind}


def one_or_each(kind: Kind) -> Kind:
    """A number of a kind, or a list of such."""
    return {**each(kind), **kind, 'type': [kind['type'], 'array']}


def settings(needed: tuple[str, ...] = (), others: Kind | bool = False, **known: Kind) -> Kind:
    """A dict of settings.

    Args:
        needed: Names that it must have.
        others: Kind of settings that are not named in ``known``; False allows none.
        known: Kind by name.
    """
    return {
        'type': 'object',
        'required': [*needed],
        'additionalProperties': others,
        'properties': known,
    }


def one_of(parts: dict[str, dict[str, Kind]]) -> Kind:
    """A config whose ``type`` is one of ``parts``, with no other arguments than that part's."""
    return {
        'type': 'object',
        'required': ['type'],
        'properties': {'type': choice(*parts)},
        'allOf': [
            {
                'if': {'properties': {'type': {'const': name}}},
                'then': settings((), False, type=ANY, **arguments),
            }
            for name, arguments in parts.items()
        ],
    }
