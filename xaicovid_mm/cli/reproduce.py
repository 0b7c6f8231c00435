r"""The comparison of Tables III to V on a store: train what is missing, test, write report/.

With --budget or several splits: label efficiency, every system by the number of annotated slices.

python tools/reproduce.py --store data/phantom/store --scale quick --seeds 1 --jobs 2
python tools/reproduce.py --store data/benchmark/store --split benchmark --role val \
    --scale real --seeds 2 --rows unet ours_sup ours_semi
python tools/reproduce.py --store data/benchmark/store --scale real --budget 8 32 all \
    --split fold0 fold1 fold2 fold3 fold4 --choices fold0 fold1 --role val --jobs 2
python tools/reproduce.py --store data/mine/store --scale paper    # a plan and slurm jobs

Stop it when you like: started again, it goes on. A run counts only if it was trained to its end
and tested by this very code on this very data. Exit code 1: some run failed, see its log.txt.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..reproduction.systems import RECIPES, SCALES
from ..utils.errors import user_errors
from .options import add_device, use_device
from .parser import CommandParser, above_0, at_least_0, at_least_1

TOOL = 'tools/reproduce.py'


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors():
        use_device(args.device)
        from .reproduce_run import run_all

        run_all(args)


def _budget(text: str) -> int | None:
    return None if text == 'all' else at_least_1(text)


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('--store', type=Path, required=True, help='slice store')
    parser.add_argument('--split', nargs='+', default=['default'], help='one, or folds')
    parser.add_argument(
        '--choices', nargs='+', default=[], metavar='SPLIT', help='folds on which choices were made'
    )
    parser.add_argument(
        '--budget', nargs='+', type=_budget, metavar='N', help='annotated slices; all: as split'
    )
    parser.add_argument('--role', choices=['test', 'val'], default='test', help='who is scored')
    parser.add_argument('--scale', choices=SCALES, default='quick')
    parser.add_argument(
        '--recipe',
        choices=RECIPES,
        help='of norm, loss, schedule and steps; default: recommended with --budget, else paper',
    )
    parser.add_argument('--seeds', type=at_least_1, default=3, help='0 to N-1')
    parser.add_argument('--only-seed', type=at_least_0, help='this seed alone, and no report')
    parser.add_argument('--rows', nargs='+', help='names of systems; default: all')
    parser.add_argument('--jobs', type=at_least_1, default=1, help='runs side by side')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/reproduce'))
    parser.add_argument('--out', type=Path, default=Path('report'))
    add_device(parser)
    parser.add_argument('--amp', action='store_true', help='train with bfloat16')
    parser.add_argument('--report-only', action='store_true', help='train nothing')
    parser.add_argument('--gpus', type=at_least_1, default=4, help='of the plan at the paper scale')
    parser.add_argument('--tflops', type=above_0, help='that a device sustains; default: a guess')
    return parser
