"""Measure the seconds of parts of a program, and of alternatives run in turn."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Stopwatch:
    """Seconds of named parts. The time of a part inside another counts for the inner one only.

    Attributes:
        seconds: Name of a part to its seconds since the last lap.
    """

    def __init__(self) -> None:
        """Start without parts."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time of the block to the part ``name``."""
        start = now()
        self._inside.append(0.0)
        yield
        spent = now() - start
        self.seconds[name] += spent - self._inside.pop()
        self._inside[-1] += spent

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Add the time of every call of ``owner.method`` to the part ``name``."""
        function = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        # nn.Module.__setattr__ would refuse a function in the place of a module.
        vars(owner).pop(method, None)
        getattr(owner, '_modules', {}).pop(method, None)
        object.__setattr__(owner, method, timed)

    def lap(self) -> dict[str, float]:
        """Return the seconds of each part since the last lap, and start a new lap."""
        seconds, self.seconds = dict(self.seconds), defaultdict(float)
        return seconds


def now() -> float:
    """Return the time in seconds after the GPU has finished its queued work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def time_in_turn(
    functions: dict[str, Callable[[], Any]], repeats: int, clock: Callable[[], float] = now
) -> dict[str, list[float]]:
    """Call the functions in turn, and return the seconds of each call by name.

    A first round is not counted. Taking turns spreads the load of other programs over all. The
    clock ``time.process_time`` counts what this process computes, whatever else runs.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(repeats + 1):
        for name, function in functions.items():
            start = clock()
            function()
            if number:
                seconds[name].append(clock() - start)
    return seconds
