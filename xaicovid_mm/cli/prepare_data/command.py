"""Make slice stores.

python tools/prepare_data.py phantom data/phantom
python tools/prepare_data.py check cases.csv data/mine/check --workers 4
python tools/prepare_data.py volumes cases.csv data/mine/store --spacing 1 1 1 --workers 4
python tools/prepare_data.py lungs cases.csv data/mine/lungs --method threshold
python tools/prepare_data.py images slices.csv data/mine/store --crop-lung 0.03
python tools/prepare_data.py split data/mine/store --name default --labelled-per-class 5
python tools/prepare_data.py split data/mine/store --name paper --labelled-slices 2500
python tools/prepare_data.py split data/mine/store --name cv --folds 5
python tools/prepare_data.py folds data/mine/store --folds 5
python tools/prepare_data.py split data/mine/store --name default --recheck
python tools/prepare_data.py info data/mine/store --split default --site-audit
"""

import argparse
import sys
from collections.abc import Sequence

from ...utils.errors import user_errors
from ..parser import CommandParser
from . import folds, make, scans, splits

TOOL = 'tools/prepare_data.py'
FAMILIES = (make, scans, splits, folds)


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    parser, arguments = _parser(prog), sys.argv[1:] if argv is None else argv
    if not arguments:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    args = parser.parse_args(arguments)
    with user_errors():
        args.run(args)


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for family in FAMILIES:
        family.add_to(commands)
    for name, command in commands.choices.items():
        lines = [line for line in (__doc__ or '').splitlines() if f'.py {name} ' in line]
        command.epilog = '\n'.join(['examples:', *lines])
    return parser
