"""The report's pictures: Figs. 4 to 6 and the training curves."""

import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from ..engine.config import load_config
from ..visualization.checkpoint_strips import draw_checkpoint_strips
from .fingerprint import environment
from .runs import SHOWN, Run
from .scores import Tests, figures_of
from .systems import AUC, CAM_STARTS, INFECTED, SYSTEMS


def draw_pictures(runs: Sequence[Run], tests: Tests, out: Path) -> dict[str, str]:
    """Draw what the runs that are done allow.

    Args:
        runs: Every run.
        tests: Of those that are done.
        out: Folder for the pictures.

    Returns:
        Name of each picture to what it shows.
    """
    done = [run for run in runs if run.is_done()]
    return (
        _figure4(done, out) | _figure5(done, out) | _figure6(runs, tests, out) | _curves(done, out)
    )


def _figure4(done: Iterable[Run], out: Path) -> dict[str, str]:
    """Two strips: without the CAM loss, the CAM is the vanilla one."""
    found = {}
    for run in done:
        strip = run.tested / 'strip.png'
        if run.name in SHOWN and run.seed == 0 and strip.is_file():
            name = f'figure4_{run.name}.png'
            shutil.copyfile(strip, out / name)
            found[name] = f'Fig. 4: {SYSTEMS[run.name].title}'
    return found


def _figure5(done: Iterable[Run], out: Path) -> dict[str, str]:
    for run in done:
        shown = run.name == SHOWN[0] and run.seed == 0 and (run.tested / 'strip.png').is_file()
        if shown and run.checkpoint.is_file():
            with environment(run.setting.variables):
                cfg = load_config(run.config)
            paths = draw_checkpoint_strips(cfg, run.folder, run.setting.role, out)
            return {path.name: f'Fig. 5: {path.stem} over the epochs' for path in paths}
    return {}


def _figure6(runs: Sequence[Run], tests: Tests, out: Path) -> dict[str, str]:
    """Over the seeds that every start has, where there is an AUC."""
    sweep = [tests.get(name, {}) for name in CAM_STARTS]
    seeds = sorted(set.intersection(*map(set, sweep)))
    scores = [figures_of({seed: its[seed] for seed in seeds}) for its in sweep] if seeds else [{}]
    if not all(AUC in found for found in scores):
        return {}
    figures = [found[AUC] for found in scores]
    canvas, axis = _canvas()
    epochs = next(run.epochs for run in runs if run.name in CAM_STARTS)
    starts = [SYSTEMS[name].options(epochs) for name in CAM_STARTS]
    begins = [next(iter(options.values())) for options in starts]
    for seed in range(len(seeds)):
        values = [figure.seeds[seed] for figure in figures[:-1]]
        axis.plot(begins[:-1], values, '.', color='0.6', label='each seed' if seed == 0 else None)
    axis.plot(begins[:-1], [f.mean for f in figures[:-1]], marker='o', label='mean over seeds')
    bounds = [(f.low, f.high) for f in figures[:-1] if f.low is not None and f.high is not None]
    if len(bounds) == len(begins) - 1:
        low, high = zip(*bounds, strict=True)
        axis.fill_between(begins[:-1], low, high, alpha=0.15, label='95 % interval over patients')
    axis.axhline(figures[-1].mean, ls='--', color='C1', label='without CAM loss')
    axis.set(xlabel='epoch in which the CAM loss starts', ylabel='AUC of slices')
    _save(canvas, out / 'figure6.png')
    return {'figure6.png': 'Fig. 6: AUC by the start of the CAM loss, supervised'}


def _curves(done: Iterable[Run], out: Path) -> dict[str, str]:
    """Of the first seed of each system that segments."""
    canvas, axis = _canvas()
    styles = itertools.product(('-', '--', ':'), [f'C{k}' for k in range(10)])
    first = {run.name: run for run in reversed(list(done)) if run.name not in CAM_STARTS}
    for run, (style, colour) in zip(first.values(), styles, strict=False):
        if points := _validation(run.folder, INFECTED):
            title = SYSTEMS[run.name].title
            axis.plot(*zip(*points, strict=True), style, color=colour, label=title)
    axis.set(xlabel='epoch', ylabel='Dice of infected slices, validation', ylim=(0, None))
    if not axis.lines:
        return {}
    _save(canvas, out / 'training_curves.png')
    return {'training_curves.png': 'Training curves: Dice of infected validation slices, one seed'}


def _validation(folder: Path, metric: str) -> list[tuple[int, float]]:
    rows = _scalars(folder)
    return sorted({row['step']: row[metric] for row in rows if metric in row}.items())


def _scalars(folder: Path) -> Iterator[dict]:
    """Lines of all logs of a run, but for one that a kill cut short."""
    for log in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in log.read_text(encoding='utf-8').splitlines():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def _canvas() -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(7, 4), layout='constrained')
    FigureCanvasAgg(canvas)
    return canvas, canvas.subplots()


def _save(canvas: Canvas, path: Path) -> None:
    axis = canvas.axes[0]
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc='center left', bbox_to_anchor=(1, 0.5))
    canvas.savefig(path, dpi=130)
