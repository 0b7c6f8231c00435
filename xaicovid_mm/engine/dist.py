"""Run a function on one rank for all."""

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import broadcast_object_list, is_main_process

T = TypeVar('T')


def on_main(function: Callable[[], T]) -> T:
    """Run ``function`` on rank 0 while the others wait; all get its result or an error.

    Raises:
        RuntimeError: On the other ranks, if it failed on rank 0, where its own error rises.
    """
    outcome: list = [None, None]
    failure: Exception | None = None
    if is_main_process():
        try:
            outcome[0] = function()
        except Exception as error:  # sent to the other ranks, then raised again
            failure, outcome[1] = error, f'{type(error).__name__}: {error}'
    broadcast_object_list(outcome)
    if failure is not None:
        raise failure
    if outcome[1] is not None:
        raise RuntimeError(f'rank 0 failed: {outcome[1]}')
    return outcome[0]
