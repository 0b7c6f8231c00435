"""The sub-commands ``check`` and ``lungs``, which read scans and make no store."""

import argparse
import sys
from pathlib import Path

from ...data_prep.lungs import METHODS
from ...utils.printable import one_line, printable
from ...utils.words import counted
from ..paths import output_folder
from .common import Commands, add_intensity, add_mask_values, add_workers, bar, mask_values


def add_to(commands: Commands) -> None:
    """Add the sub-commands of this module."""
    _add_check(commands)
    _add_lungs(commands)


def _add_check(commands: Commands) -> None:
    check = commands.add_parser(
        'check',
        help='check every case of a table; change nothing',
        epilog='Exit code: 0 if every case is ok or has warnings, 1 if any is refused, 2 if the '
        'table itself is wrong.',
    )
    check.add_argument('table', type=Path, help='as for volumes')
    check.add_argument('out', type=Path, help='gets check.json and check.html')
    add_intensity(check)
    add_mask_values(check)
    add_workers(check)
    check.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> None:
    from ...data_prep.check.report import check_cases
    from ...utils.terminal import Console

    output_folder(args.out, 'out')
    summary = check_cases(
        args.table,
        args.out,
        intensity=args.intensity,
        mask_values=mask_values(args),
        workers=args.workers,
        progress=bar('checking'),
    )
    for line in summary.refused:
        sys.stderr.write(printable(f'refused: {one_line(line)}\n'))
    counts = ', '.join(f'{count} {verdict}' for verdict, count in summary.counts.items())
    Console(soft_wrap=True, highlight=False).print(f'{counts}; {args.out}/check.html')
    if summary.refused:
        raise SystemExit(1)


def _add_lungs(commands: Commands) -> None:
    lungs = commands.add_parser('lungs', help='make lung masks for the scans of a case table')
    lungs.add_argument('table', type=Path, help='as for volumes; cases with a mask keep it')
    lungs.add_argument('out', type=Path, help='gets masks/, cases.csv and flagged.csv')
    lungs.add_argument(
        '--method',
        choices=METHODS,
        help='default: with a model hybrid (display values: model), else threshold',
    )
    lungs.add_argument('--config', type=Path, help='of the model, such as configs/lung/unet.py')
    lungs.add_argument('--checkpoint', type=Path, help='weights of the model or of lungmask')
    add_intensity(lungs)
    lungs.add_argument(
        '--keep-flagged', action='store_true', help='list flagged cases in cases.csv too'
    )
    add_workers(lungs)
    lungs.set_defaults(run=_lungs)


def _lungs(args: argparse.Namespace) -> None:
    from ...apis.lungs.methods import lung_method
    from ...data_prep.lungs.prepare import prepare_lungs
    from ...utils.terminal import Console

    output_folder(args.out, 'out')
    method = lung_method(
        args.method, config=args.config, checkpoint=args.checkpoint, intensity=args.intensity
    )
    kept, flagged = prepare_lungs(
        args.table,
        args.out,
        method,
        keep_flagged=args.keep_flagged,
        workers=args.workers,
        progress=bar('finding lungs'),
    )
    console = Console(soft_wrap=True)
    for row in flagged:
        console.print(f'flagged: {row["case"]}: {row["flags"]}', style='yellow')
    console.print(f'{counted(len(kept), "case")} in {args.out}/cases.csv, {len(flagged)} flagged')
