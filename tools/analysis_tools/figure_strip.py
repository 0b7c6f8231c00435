"""Draw the figure strip of a checkpoint without testing it.

python tools/analysis_tools/figure_strip.py configs/quick/recommended_semi.py last.pth --out x.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xaicovid_mm.cli.options import add_cfg_options, add_role
from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.cli.paths import checkpoint_file, output_picture
from xaicovid_mm.utils.errors import user_errors


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _draw(args)


def _draw(args: argparse.Namespace) -> None:
    output_picture(args.out)
    from mmengine.registry import init_default_scope

    from xaicovid_mm.apis import init_model
    from xaicovid_mm.engine.config import argument_errors, load_config
    from xaicovid_mm.registry import DATASETS
    from xaicovid_mm.utils.terminal import Console
    from xaicovid_mm.visualization.explain_slices import explain_slices, largest_lesions
    from xaicovid_mm.visualization.figure_strip import draw_strip

    cfg = load_config(args.config, args.cfg_options)
    checkpoint_file(args.checkpoint)
    init_default_scope('xaicovid_mm')
    cfg.test_dataloader.dataset.roles = [args.role]
    with argument_errors(cfg):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
        model = init_model(cfg, args.checkpoint)
    positions = largest_lesions(dataset, args.num)
    draw_strip(explain_slices(model, cfg, dataset, positions), args.out)
    Console(soft_wrap=True).print(f'figure strip: {args.out}')


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, default=Path('strip.png'), help='PNG or PDF')
    parser.add_argument(
        '--num', type=at_least_1, default=4, help='slices, the worst of each patient first'
    )
    add_role(parser)
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
