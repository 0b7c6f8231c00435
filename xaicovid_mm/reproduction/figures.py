"""The figures of the report: Figs. 4 to 6 of the paper, and the training curves."""

import itertools
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..engine.config import load_config
from ..visualization.checkpoint_strips import draw_checkpoint_strips
from ..visualization.save_figure import save_figure
from .columns import AUC, DICE_INFECTED_SLICE
from .fingerprint import environment
from .runs import STRIP_SYSTEMS, Run
from .scores import SystemRows, system_scores
from .systems import CAM_STARTS, SYSTEMS
from .training_log import validation_curve

ENDS = ('low', 'high')
"""Of an interval."""


def draw_figures(runs: Sequence[Run], *, tests: SystemRows, out: Path) -> dict[str, str]:
    """Draw the figures for which the runs are done.

    Args:
        runs: All runs.
        tests: Test rows of the runs that are done.
        out: Folder for the PNG files.

    Returns:
        File name of each figure to its caption.
    """
    done = [run for run in runs if run.is_done()]
    return (
        _copy_figure4(done, out)
        | _draw_figure5(done, out)
        | _draw_figure6(runs, tests, out)
        | _draw_training_curves(done, out)
    )


def draw_label_efficiency(records: Sequence[dict[str, Any]], path: Path) -> bool:
    """Draw the Dice of infected slices by the number of annotated slices, with its interval.

    Args:
        records: Of one part of the patients, a budget each, see ``budget_scores``.
        path: The PNG file.

    Returns:
        Whether there was anything to draw: a system with two budgets.
    """
    curves: dict[str, list[tuple[float, dict]]] = {}
    for record in sorted(records, key=lambda record: record['annotated']):
        for name, scores in record['systems'].items():
            if DICE_INFECTED_SLICE in scores:
                curves.setdefault(name, []).append(
                    (record['annotated'], scores[DICE_INFECTED_SLICE])
                )
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves:
        return False
    figure, axis = _new_figure()
    for number, name in enumerate(sorted(curves, key=list(SYSTEMS).index)):
        annotated, scores = zip(*curves[name], strict=True)
        means = [score['mean'] for score in scores]
        low, high = ([s[end] if s[end] is not None else s['mean'] for s in scores] for end in ENDS)
        reach = np.clip([np.subtract(means, low), np.subtract(high, means)], 0, None)
        shifted = np.array(annotated) * (1 + 0.015 * number)  # so that no interval hides another
        line = ('-', '--', ':')[number // 10 % 3]
        axis.errorbar(
            shifted, means, reach, label=SYSTEMS[name].title, marker='o', ms=3, capsize=2, ls=line
        )
    axis.set(xscale='log', xlabel='annotated slices', ylabel='Dice of infected slices')
    ticks = sorted({record['annotated'] for record in records})
    axis.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    axis.minorticks_off()
    _save(figure, path)
    return True


def _copy_figure4(done: Iterable[Run], out: Path) -> dict[str, str]:
    """Copy the strips of our method and of the variant without CAM loss, the vanilla CAM."""
    captions = {}
    for run in done:
        if _has_strip(run):
            name = f'figure4_{run.name}.png'
            shutil.copyfile(run.tested / 'strip.png', out / name)
            captions[name] = f'Fig. 4: {SYSTEMS[run.name].title}'
    return captions


def _draw_figure5(done: Iterable[Run], out: Path) -> dict[str, str]:
    """Draw the same slices over the epochs of our method."""
    for run in done:
        if run.name == STRIP_SYSTEMS[0] and _has_strip(run) and run.checkpoint.is_file():
            with environment(run.setting.variables):
                cfg = load_config(run.config)
            paths = draw_checkpoint_strips(cfg, run.folder, role=run.setting.role, out=out)
            return {path.name: f'Fig. 5: {path.stem} over the epochs' for path in paths}
    return {}


def _has_strip(run: Run) -> bool:
    strip = run.tested / 'strip.png'
    return run.name in STRIP_SYSTEMS and run.seed == 0 and strip.is_file()


def _draw_figure6(runs: Sequence[Run], tests: SystemRows, out: Path) -> dict[str, str]:
    """Draw the AUC by the epoch in which the CAM loss starts.

    Only the seeds that every start has are used. Nothing is drawn if a start has no AUC.
    """
    by_start = [tests.get(name, {}) for name in CAM_STARTS]
    seeds = sorted(set.intersection(*map(set, by_start)))
    if not seeds:
        return {}
    scores = [system_scores({seed: rows[seed] for seed in seeds}) for rows in by_start]
    if not all(AUC in score for score in scores):
        return {}
    *aucs, without_cam_loss = [score[AUC] for score in scores]
    epochs = next(run.epochs for run in runs if run.name in CAM_STARTS)
    options = [SYSTEMS[name].options(epochs) for name in CAM_STARTS[:-1]]
    begins = [next(iter(values.values())) for values in options]
    figure, axis = _new_figure()
    for number in range(len(seeds)):
        values = [auc.seeds[number] for auc in aucs]
        axis.plot(begins, values, '.', color='0.6', label='each seed' if number == 0 else None)
    axis.plot(begins, [auc.mean for auc in aucs], marker='o', label='mean over seeds')
    bounds = [(a.low, a.high) for a in aucs if a.low is not None and a.high is not None]
    if len(bounds) == len(begins):
        low, high = zip(*bounds, strict=True)
        axis.fill_between(begins, low, high, alpha=0.15, label='95 % interval, patients and seeds')
    axis.axhline(without_cam_loss.mean, ls='--', color='C1', label='without CAM loss')
    axis.set(xlabel='epoch in which the CAM loss starts', ylabel='AUC of slices')
    _save(figure, out / 'figure6.png')
    return {'figure6.png': 'Fig. 6: AUC by the start of the CAM loss, supervised'}


def _draw_training_curves(done: Iterable[Run], out: Path) -> dict[str, str]:
    """Draw the validation Dice of the first seed of each system that segments."""
    figure, axis = _new_figure()
    styles = itertools.product(('-', '--', ':'), [f'C{k}' for k in range(10)])
    first = {run.name: run for run in reversed(list(done)) if run.name not in CAM_STARTS}
    for run, (style, colour) in zip(first.values(), styles, strict=False):
        if points := validation_curve(run.folder, DICE_INFECTED_SLICE):
            title = SYSTEMS[run.name].title
            axis.plot(*zip(*points, strict=True), style, color=colour, label=title)
    axis.set(xlabel='epoch', ylabel='Dice of infected slices, validation', ylim=(0, None))
    if not axis.lines:
        return {}
    _save(figure, out / 'training_curves.png')
    return {'training_curves.png': 'Training curves: Dice of infected validation slices, one seed'}


def _new_figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4), layout='constrained')
    return figure, figure.subplots()


def _save(figure: Figure, path: Path) -> None:
    axis = figure.axes[0]
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc='center left', bbox_to_anchor=(1, 0.5))
    save_figure(figure, path, dpi=130)
