"""Apply a function to many items in several processes."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from .errors import WorkerLostError

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

    Raises:
        WorkerLostError: If a worker process was killed.
    """
    if workers <= 1:
        yield map(function, items)
        return
    pool = ProcessPoolExecutor(workers, get_context('spawn'), _leave_ctrl_c_to_the_parent)
    try:
        yield pool.map(function, items)
    except BrokenProcessPool as error:
        raise WorkerLostError(
            f'one of {workers} worker processes was killed',
            'most often memory runs out: use fewer --workers. A script of your own needs '
            'if __name__ == "__main__": before this call',
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
