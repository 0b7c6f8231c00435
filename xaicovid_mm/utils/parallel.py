"""Work spread over processes, results in the order of the input."""

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
    """The results, one by one; the processes end with the block. One worker is this process."""
    if workers <= 1:
        yield map(function, items)
        return
    with get_context('spawn').Pool(workers) as pool:
        yield pool.imap(function, items)
