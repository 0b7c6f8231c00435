"""Seconds of parts, and of ways that take turns."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Stopwatch:
    """Seconds by part; the time of a part inside another counts for the inner one only."""

    def __init__(self) -> None:
        """Start with no parts."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what runs inside to ``name``."""
        start = now()
        self._inside.append(0.0)
        yield
        spent = now() - start
        self.seconds[name] += spent - self._inside.pop()
        self._inside[-1] += spent

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Count every call of ``owner.method`` as ``name``."""
        function = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        # not through nn.Module.__setattr__, which refuses a function in the place of a module
        vars(owner).pop(method, None)
        getattr(owner, '_modules', {}).pop(method, None)
        object.__setattr__(owner, method, timed)

    def lap(self) -> dict[str, float]:
        """Seconds by part since the last lap."""
        seconds, self.seconds = dict(self.seconds), defaultdict(float)
        return seconds


def now() -> float:
    """Seconds, once all that was asked of the GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def interleaved(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each way, in turn; the first round is thrown away."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(repeats + 1):
        for name, way in ways.items():
            start = now()
            way()
            if number:
                seconds[name].append(now() - start)
    return seconds
