"""Places in a config, by dotted names such as ``model.cls_head.alphas``."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def places(node: Any, start: str = '') -> Iterator[str]:
    """Yield all places below a node, outermost first; ``start`` is its own."""
    items: Iterable = node.items() if isinstance(node, dict) else ()
    if isinstance(node, (list, tuple)):
        items = enumerate(node)
    for key, value in items:
        way = f'{start}.{key}' if start else str(key)
        yield way
        yield from places(value, way)


def place_of(config: Any, part: Mapping, way: str = '') -> str:
    """Find the dict that a component was built from; empty if it is unknown.

    Args:
        config: The config, or what stands at the place ``way``.
        part: What the component was built from; mmengine may have added arguments.
        way: Where the search starts.
    """
    items: Iterable = config.items() if isinstance(config, dict) else ()
    if isinstance(config, (list, tuple)):
        items = enumerate(config)
    for key, value in items:
        name = f'{way}.{key}' if way else str(key)
        if isinstance(value, dict) and 'type' in value and _is_part(value, part):
            return name
        if place := place_of(value, part, name):
            return place
    return ''


def _is_part(value: Mapping, part: Mapping) -> bool:
    return all(key in part and str(part[key]) == str(item) for key, item in value.items())
