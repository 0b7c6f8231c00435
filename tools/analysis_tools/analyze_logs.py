"""Table what runs logged (time, losses, best and last scores), and draw their curves.

python tools/analysis_tools/analyze_logs.py work_dirs/quick_semi_vgg work_dirs/quick_supervised_vgg
python tools/analysis_tools/analyze_logs.py work_dirs/quick_semi_vgg --keys loss_u --out loss_u.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.cli.paths import output_picture
from xaicovid_mm.utils.errors import user_errors


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _analyze(args)


def _analyze(args: argparse.Namespace) -> None:
    from rich.table import Table

    from xaicovid_mm.reproduction.training_log import log_rows, training_curves
    from xaicovid_mm.utils.nearest import hint
    from xaicovid_mm.utils.terminal import Console
    from xaicovid_mm.visualization.training_curves import draw_training_curves, shown_metrics

    if args.out:
        output_picture(args.out)
    table = Table('run', 'curve', 'epochs', 'first', 'last', 'highest (epoch)', 'lowest (epoch)')
    drawn: tuple[dict, dict] = {}, {}
    for run in args.runs:
        curves = training_curves(run)
        if not any(curves):
            raise FileNotFoundError(f'{run} has no */vis_data/scalars.json: give a work dir')
        known = curves[0] | curves[1]
        if missing := [key for key in args.keys if key not in known]:
            near = hint(missing[0], known)
            raise ValueError(f'--keys {missing[0]}: {run} logged none{near}; it has {list(known)}')
        for panel, part in zip(drawn, (curves[0], shown_metrics(curves[1])), strict=True):
            chosen = {key: known[key] for key in args.keys if key in part} if args.keys else part
            panel |= {_label(args.runs, run, key): points for key, points in chosen.items()}
            for key, points in chosen.items():
                table.add_row(str(run), key, str(len(points)), *_summary(points))
        times = [row['time'] for row in log_rows(run) if 'iter' in row and 'time' in row]
        if times:
            mean = sum(times) / len(times)
            table.add_row(str(run), 'seconds per step, mean', '', '', f'{mean:.3f}', '', '')
    Console(width=120).print(table)
    if args.out:
        draw_training_curves(args.out, *drawn)


def _label(runs: Sequence[Path], run: Path, key: str) -> str:
    return key if len(runs) == 1 else f'{run.name}: {key}'


def _summary(points: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    finite = [point for point in points if point[1] == point[1]]
    if not finite:
        return ('n/a',) * 4
    high, low = (choose(finite, key=lambda point: point[1]) for choose in (max, min))
    ends = (f'{finite[0][1]:.4f}', f'{finite[-1][1]:.4f}')
    return (*ends, *(f'{value:.4f} ({epoch:g})' for epoch, value in (high, low)))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/analysis_tools/analyze_logs.py')
    parser.add_argument('runs', nargs='+', type=Path, help='work dirs')
    parser.add_argument('--keys', nargs='+', default=[], help='losses and metrics; default: all '
                        'losses and the main metrics')  # fmt: skip
    parser.add_argument('--out', type=Path, help='PNG of the curves')
    return parser


if __name__ == '__main__':
    main()
