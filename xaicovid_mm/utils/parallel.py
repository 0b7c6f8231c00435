"""Apply a function to many items in several processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')


@contextmanager
def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Iterable[Result]]:
    """Apply a function to each item. The worker processes end with the ``with`` block.

    Args:
        function: What to apply. With several workers it must be picklable.
        items: Its arguments, one call each.
        workers: Number of processes; with 1 or less the work is done in this process.

    Yields:
        The results in the order of the items, each as soon as it is ready.
    """
    if workers <= 1:
        yield map(function, items)
        return
    with get_context('spawn').Pool(workers) as pool:
        yield pool.imap(function, items)
