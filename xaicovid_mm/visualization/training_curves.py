"""Draw the losses and the validation scores of a run by epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..engine.hooks.progress_bar_hook import HEADLINES
from .save_figure import save_figure

Curves: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]


def draw_training_curves(
    path: Path, losses: Curves, metrics: Curves, patients: str = 'patients'
) -> None:
    """Draw two panels, losses and validation scores, and write them as PNG.

    Args:
        path: The file to write.
        losses: Name to points (epoch, value); ``loss`` is the weighted sum of the others.
        metrics: The same of the validation.
        patients: What they are, for the title: 'phantom patients'.
    """
    figure = Figure(figsize=(13, 4), layout='constrained')
    left, right = figure.subplots(1, 2)
    shown = shown_metrics(metrics)
    _panel(left, losses, 'training: weighted losses, mean of the logged steps', 'loss')
    _panel(right, shown, f'validation {patients}', 'score')
    save_figure(figure, path, dpi=110)


def shown_metrics(metrics: Curves) -> Curves:
    """Return the curves of the ``HEADLINES``; all, if a run has none of these."""
    return {name: metrics[name] for name in HEADLINES if name in metrics} or metrics


def _panel(axis: Axes, curves: Curves, title: str, ylabel: str) -> None:
    for name, points in curves.items():
        axis.plot(*zip(*points, strict=True), marker='.', label=name)
    axis.set(title=title, xlabel='epoch', ylabel=ylabel)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(alpha=0.3)
    if curves:
        axis.legend(fontsize=8, loc='upper left', bbox_to_anchor=(1.01, 1))
    else:
        axis.text(0.5, 0.5, 'nothing was logged', ha='center', transform=axis.transAxes)
