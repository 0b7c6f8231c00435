"""Read the validation scores that a training run logged."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def validation_curve(folder: Path, metric: str) -> list[tuple[int, float]]:
    """Return the epochs and values of a validation metric in ascending order.

    If an epoch was logged more than once, by a run that was resumed, the last value counts.

    Args:
        folder: Work dir of the run.
        metric: Name of the metric, such as 'seg/dice_infected_slice_mean'.
    """
    rows = _log_rows(folder)
    return sorted({row['step']: row[metric] for row in rows if metric in row}.items())


def _log_rows(folder: Path) -> Iterator[dict]:
    """Yield the lines of all logs of a run, skipping a line that a kill cut short."""
    for log in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in log.read_text(encoding='utf-8').splitlines():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)
