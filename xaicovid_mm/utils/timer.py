"""Time the stages of a computation."""

import time


class StageTimer:
    """Measure the seconds of each stage. Call ``lap`` at the end of a stage.

    Attributes:
        seconds: Stage name to its seconds, in the order of the first laps.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Add the time since the last lap, or since the start, to a stage."""
        now = time.perf_counter()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self._last, 3)
        self._last = now
