"""Count the parameters of a network and its multiply-adds (of convolutions and products).

python tools/analysis_tools/get_flops.py configs/semi_vgg.py --size 224
"""

import argparse
from collections.abc import Sequence

from xaicovid_mm.cli.options import add_cfg_options
from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.utils.errors import user_errors

MAX_SIZE = 2048
"""H = W from which the maps of a network do not fit into the memory of most machines."""


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        if args.size > MAX_SIZE:
            raise ValueError(
                f'--size {args.size} is more than {MAX_SIZE}, and its maps would not fit into '
                'memory: give a smaller one; multiply-adds of convolutions grow with its square'
            )
        _count(args)


def _count(args: argparse.Namespace) -> None:
    import torch
    from rich.table import Table
    from torch.utils.flop_counter import FlopCounterMode

    from xaicovid_mm.engine.config import argument_errors, load_config
    from xaicovid_mm.engine.trained_model import trained_model
    from xaicovid_mm.utils.terminal import Console

    cfg = load_config(args.config, args.cfg_options)
    with argument_errors(cfg):
        model = trained_model(cfg, None)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.rand(1, 1, args.size, args.size))
    whole = type(model).__name__
    flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    table = Table('part', 'parameters', 'multiply-adds', title=f'1 x {args.size} x {args.size}')
    for name, part in [*model.named_children(), ('', model)]:
        count = sum(weight.numel() for weight in part.parameters())
        added = flops.get(f'{whole}.{name}' if name else whole, 0) // 2  # a pair is two operations
        table.add_row(name or 'together', f'{count:,}', f'{added:,}')
    Console().print(table)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, 'tools/analysis_tools/get_flops.py')
    parser.add_argument('config', help='a file below configs/')
    parser.add_argument(
        '--size', type=at_least_1, default=224, help='H = W of the slice; default: %(default)s'
    )
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
