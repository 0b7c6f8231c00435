"""Ranges that transforms draw from."""

from collections.abc import Sequence


def need_ranges(bound: str, **ranges: Sequence[float]) -> None:
    """Refuse ranges (low, high) that run backwards or leave their bound.

    Args:
        bound: What must hold at the lower end: '0 <', '0 <=', or '' for any number.
        ranges: Range by the name of its argument.

    Raises:
        ValueError: Naming the argument, its value and what is expected.
    """
    for name, (low, high) in ranges.items():
        within = {'0 <': low > 0, '0 <=': low >= 0, '': True}[bound]
        if low > high or not within:
            raise ValueError(f'{name}={[low, high]}: {f"{bound} low <= high".strip()} expected')
