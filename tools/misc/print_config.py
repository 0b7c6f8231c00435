"""Print a config as a run would read it: bases merged, options set, keys and values checked.

python tools/misc/print_config.py configs/quick/semi_vgg.py --cfg-options randomness.seed=1
"""

import argparse
from collections.abc import Sequence

from xaicovid_mm.cli.options import add_cfg_options
from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.terminal import Console


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        from xaicovid_mm.engine.config import load_config

        Console(soft_wrap=True).print(load_config(args.config, args.cfg_options).pretty_text)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/misc/print_config.py')
    parser.add_argument('config', help='a file below configs/')
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
