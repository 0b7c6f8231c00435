"""Curves of runs: validation Dice by epoch, and the pseudo-label audit of those that have one.

python tools/analysis_tools/plot_runs.py work_dirs/supervised work_dirs/semi --out runs.png
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from xaicovid_mm.engine.errors import user_errors
from xaicovid_mm.engine.hooks.pseudo_label_audit_hook import AUDIT_FILE, SOURCES

NAMES = {'caam': 'CAAM$_l$', 'saliency': 'saliency', 'prob': 'decoder', 'fused': 'pseudo label'}


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        figure = Figure(figsize=(9, 3.4), layout='constrained')
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, sharey=True)
        for run in args.runs:
            _validation(left, run, args.metric)
            _audit(right, run)
        left.set(title='validation patients', xlabel='epoch', ylabel='Dice')
        right.set(title='pseudo labels, unlabelled patients', xlabel='epoch')
        for axis in (left, right):
            axis.grid(alpha=0.3)
            axis.set_ylim(bottom=0)
            axis.legend(fontsize=8)
        figure.savefig(args.out, dpi=130)


def _validation(axis: Axes, run: Path, metric: str) -> None:
    logs = sorted(run.glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{run} has no */vis_data/scalars.json: give a work dir of a run')
    rows = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    points = {row['step']: row[metric] for row in rows if metric in row}
    if not points:
        raise KeyError(f'{run} has no {metric}: choose another --metric')
    axis.plot(*zip(*sorted(points.items()), strict=True), marker='.', label=run.name)


def _audit(axis: Axes, run: Path) -> None:
    path = run / AUDIT_FILE
    if path.is_file():
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for source in SOURCES:
            dice = [row[source].get('dice_infected_volume_mean') for row in rows]
            axis.plot([row['epoch'] for row in rows], dice, marker='.', label=NAMES[source])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', type=Path, help='work dirs; the name is the label')
    parser.add_argument('--metric', default='seg/dice_infected_slice_mean', help='of validation')
    parser.add_argument('--out', type=Path, default=Path('runs.png'))
    return parser


if __name__ == '__main__':
    main()
