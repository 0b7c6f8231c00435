"""Test a checkpoint: a table with intervals, files with a row per slice, and the figure strip.

python tools/test.py configs/quick/recommended_semi.py epoch_20.pth --show-dir strips
"""

import argparse
from collections.abc import Sequence

from ..utils.errors import user_errors
from .options import add_cfg_options, add_device, use_device
from .parser import CommandParser, at_least_1

TOOL = 'tools/test.py'


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors(f'testing {args.checkpoint}'):
        use_device(args.device)
        from .test_run import run

        run(args)


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--role', choices=['test', 'val'], default='test', help='whose patients')
    parser.add_argument('--work-dir', help='default: test_<role> beside the checkpoint')
    parser.add_argument('--out', help='JSON of the table; default: report.json in the work dir')
    parser.add_argument('--show-dir', help='write the figure strip there')
    parser.add_argument('--num', type=at_least_1, default=4, help='slices of the strip')
    parser.add_argument('--explain', action='store_true', help='score the maps of some slices too')
    views = parser.add_mutually_exclusive_group()
    views.add_argument(
        '--tta', action='store_true', help='predict each slice and its mirror image, and average'
    )
    views.add_argument(
        '--second', metavar='CHECKPOINT', help='of another seed: how far the two disagree'
    )
    parser.add_argument(
        '--allow-changes',
        action='store_true',
        help='test although the store, the split or a setting is not that of the training',
    )
    add_device(parser)
    add_cfg_options(parser)
    launchers = ('none', 'pytorch', 'slurm', 'mpi')
    parser.add_argument('--launcher', choices=launchers, default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='for torchrun')
    return parser
