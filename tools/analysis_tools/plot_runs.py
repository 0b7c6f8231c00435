"""Plot the validation Dice of runs by epoch, and their pseudo-label audit where there is one.

python tools/analysis_tools/plot_runs.py work_dirs/supervised work_dirs/semi --out runs.png
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.cli.paths import output_picture
from xaicovid_mm.reproduction.training_log import validation_curve
from xaicovid_mm.utils.errors import user_errors

if TYPE_CHECKING:  # slow to import
    from matplotlib.axes import Axes

STYLES = ('-', '--', ':', '-.')
NAMES = {'caam': 'CAAM$_l$', 'saliency': 'saliency', 'prob': 'decoder', 'fused': 'pseudo label'}


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        output_picture(args.out)
        _plot(args)


def _plot(args: argparse.Namespace) -> None:
    from matplotlib.figure import Figure

    from xaicovid_mm.engine.hooks.pseudo_label_audit_hook import AUDIT_FILE
    from xaicovid_mm.visualization.save_figure import save_figure

    figure = Figure(figsize=(9, 3.4), layout='constrained')
    left, right = figure.subplots(1, 2, sharey=True)
    for run in args.runs:
        _plot_validation(left, run, args.metric)
    audited = [run for run in args.runs if (run / AUDIT_FILE).is_file()]
    for run, style in zip(audited, itertools.cycle(STYLES), strict=False):
        _plot_audit(right, run, style)
    left.set(title='validation patients', xlabel='epoch', ylabel='Dice')
    right.set(title='pseudo labels; a line style per run', xlabel='epoch')
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=8, loc='lower right')
    save_figure(figure, args.out, dpi=130)


def _plot_validation(axis: 'Axes', run: Path, metric: str) -> None:
    if not any(run.glob('*/vis_data/scalars.json')):
        raise FileNotFoundError(f'{run} has no */vis_data/scalars.json: give a work dir of a run')
    points = validation_curve(run, metric)
    if not points:
        raise KeyError(f'{run} has no {metric}: choose another --metric')
    axis.plot(*zip(*points, strict=True), marker='.', label=run.name)


def _plot_audit(axis: 'Axes', run: Path, style: str) -> None:
    """Plot the Dice of each source of pseudo labels in its colour, in the line style of the run."""
    from xaicovid_mm.engine.hooks.pseudo_label_audit_hook import AUDIT_FILE, HEADLINE, SOURCES

    try:
        lines = (run / AUDIT_FILE).read_text(encoding='utf-8').splitlines()
        rows = [dict(json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise ValueError(f'{run / AUDIT_FILE} is damaged ({error}): remove it') from error
    for number, source in enumerate(SOURCES):
        dice = [row[source][HEADLINE] for row in rows if HEADLINE in row[source]]
        epochs = [row['epoch'] for row in rows if HEADLINE in row[source]]
        label = NAMES[source] if style == STYLES[0] else None
        axis.plot(epochs, dice, style, marker='.', color=f'C{number}', label=label)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument(
        'runs', nargs='+', type=Path, help='work dirs; the folder name is the label'
    )
    parser.add_argument(
        '--metric', default='seg/dice_infected_slice_mean', help='validation metric'
    )
    parser.add_argument('--out', type=Path, default=Path('runs.png'))
    return parser


if __name__ == '__main__':
    main()
