"""Read the losses and the validation scores that a training run logged."""

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ..utils.errors import DataError

REMEDY = 'remove the file, or give the work dir of another run'
Curves = dict[str, list[tuple[float, float]]]
"""Name to points (epoch, value), by epoch."""


def validation_curve(folder: Path, metric: str) -> list[tuple[int, float]]:
    """Return the epochs and values of a validation metric in ascending order.

    If an epoch was logged more than once, by a run that was resumed, the last value counts.

    Args:
        folder: Work dir of the run.
        metric: Name of the metric, such as 'seg/dice_infected_slice_mean'.
    """
    rows = log_rows(folder)
    return sorted({row['step']: row[metric] for row in rows if metric in row}.items())


def training_curves(folder: str | Path) -> tuple[Curves, Curves]:
    """Return all losses and all validation metrics of a run, each as points (epoch, value).

    A loss is the mean of what was logged in an epoch. Of a run that was resumed the last values
    count.

    Args:
        folder: Work dir of the run.
    """
    steps: dict[int, dict] = {}
    metrics: dict[str, dict[float, float]] = {}
    for row in log_rows(Path(folder)):
        if 'iter' in row:
            steps[row['iter']] = row
            continue
        for name in (name for name in row if '/' in name):
            metrics.setdefault(name, {})[row['step']] = row[name]
    epochs = sorted({row['epoch'] for row in steps.values()})
    names = {name for row in steps.values() for name in row if name.partition('_')[0] == 'loss'}
    losses = {name: {n: _mean(steps.values(), name, n) for n in epochs} for name in sorted(names)}
    return _sorted(losses), _sorted(metrics)


def _mean(rows: Iterable[dict], name: str, epoch: int) -> float:
    values = [row[name] for row in rows if row['epoch'] == epoch and name in row]
    return sum(values) / len(values) if values else math.nan


def _sorted(curves: dict[str, dict[float, float]]) -> Curves:
    return {name: sorted(points.items()) for name, points in curves.items()}


def log_rows(folder: Path) -> Iterator[dict]:
    """Yield the lines of all logs of a run, skipping a line that a kill cut short.

    Raises:
        DataError: If a log is no text, or a whole line of it no JSON object.
    """
    for log in sorted(folder.glob('*/vis_data/scalars.json')):
        try:
            lines = log.read_text(encoding='utf-8').splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f'{log} is no text ({error})', REMEDY) from error
        for number, line in enumerate(lines, 1):
            with suppress(json.JSONDecodeError):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(
                        f'{log}, line {number}: {line[:80]!r} is no JSON object', REMEDY
                    )
                yield row
