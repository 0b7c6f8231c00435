"""Draw the figure strip of a checkpoint without testing it.

python tools/analysis_tools/figure_strip.py configs/quick/semi_vgg.py epoch_20.pth --out strip.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine import Config, DictAction
from mmengine.registry import init_default_scope
from rich.console import Console

from xaicovid_mm.apis import init_model
from xaicovid_mm.engine.config_check import check_options
from xaicovid_mm.engine.errors import user_errors
from xaicovid_mm.evaluation.explain_slices import explain_slices, largest_lesions
from xaicovid_mm.evaluation.figure_strip import draw_strip
from xaicovid_mm.registry import DATASETS, TASK_UTILS


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _draw(args)


def _draw(args: argparse.Namespace) -> None:
    cfg = Config.fromfile(args.config)
    check_options(cfg, args.cfg_options or {})
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope('xaicovid_mm')
    cfg.test_dataloader.dataset.roles = [args.split_role]
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    hook = cfg.default_hooks.get('pseudo_label') or dict(labeler=dict(type='PseudoLabeler'))
    labeler = TASK_UTILS.build({**hook['labeler'], 'gate': 'pred'})  # no patient's class is given
    model = init_model(cfg, args.checkpoint)
    rows = explain_slices(model, labeler, dataset, largest_lesions(dataset, args.num))
    draw_strip(rows, args.out)
    Console().print(f'figure strip: {args.out}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, default=Path('strip.png'), help='PNG or PDF')
    parser.add_argument('--num', type=int, default=4, help='slices: the worst of each patient')
    parser.add_argument('--split-role', choices=['test', 'val'], default='test', help='of patients')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='KEY.KEY=VALUE ...')
    return parser


if __name__ == '__main__':
    main()
