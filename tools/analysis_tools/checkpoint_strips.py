"""Draw the same slices after several epochs of a run, as in Fig. 5.

python tools/analysis_tools/checkpoint_strips.py configs/quick/recommended_semi.py WORK_DIR

The run keeps every fourth checkpoint with --cfg-options default_hooks.checkpoint.keep_every=4.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.options import add_role
from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.utils.errors import user_errors


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _draw(args)


def _draw(args: argparse.Namespace) -> None:
    from xaicovid_mm.engine.config import load_config
    from xaicovid_mm.utils.terminal import Console
    from xaicovid_mm.visualization.checkpoint_strips import draw_checkpoint_strips

    cfg = load_config(args.config)
    for path in draw_checkpoint_strips(
        cfg, args.work_dir, role=args.role, out=args.out, count=args.count
    ):
        Console().print(str(path))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('config')
    parser.add_argument('work_dir', type=Path, help='work dir of the run')
    add_role(parser, 'val')
    parser.add_argument('--count', type=at_least_1, default=2, help='number of slices')
    parser.add_argument('--out', type=Path, default=Path('.'), help='folder for the figures')
    return parser


if __name__ == '__main__':
    main()
