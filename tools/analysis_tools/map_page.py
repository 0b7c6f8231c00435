r"""Draw a page of slices with their maps, and what each map scores on each slice.

python tools/analysis_tools/map_page.py configs/quick/recommended_semi.py epoch_20.pth \
    --out work_dirs/maps

Writes map_slices.md and map_slices.png. The slices are drawn by the hash of their name, one a
patient first.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaicovid_mm.cli.options import add_cfg_options, add_role
from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.cli.paths import checkpoint_file, output_folder
from xaicovid_mm.utils.errors import user_errors

if TYPE_CHECKING:
    from xaicovid_mm.data_prep.store.reader import SliceStore

PAGE, PICTURE = 'map_slices.md', 'map_slices.png'
PHANTOM = 'The scans are phantoms, made by a computer: the figures say nothing of patients.'
REAL = '**These are pictures of patients.** Do not pass them on.'


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        _write(args)


def _write(args: argparse.Namespace) -> None:
    from mmengine.registry import init_default_scope

    from xaicovid_mm.apis import init_model
    from xaicovid_mm.engine.config import argument_errors, load_config
    from xaicovid_mm.evaluation.explanation.report_maps import report_maps
    from xaicovid_mm.explain.explainers import lacking_maps
    from xaicovid_mm.registry import DATASETS, TASK_UTILS
    from xaicovid_mm.utils.files import file_sha256, write_text
    from xaicovid_mm.utils.terminal import Console
    from xaicovid_mm.visualization.explain_slices import drawn_slices
    from xaicovid_mm.visualization.map_page import draw_map_page, scored_maps

    output_folder(args.out, '--out')
    cfg = load_config(args.config, args.cfg_options)
    checkpoint = checkpoint_file(args.checkpoint)
    init_default_scope('xaicovid_mm')
    cfg.test_dataloader.dataset.roles = [args.role]
    with argument_errors(cfg):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
        model = init_model(cfg, args.checkpoint)
    explainers = {name: TASK_UTILS.build(kind) for name, kind in report_maps(cfg).items()}
    for name, why in lacking_maps(explainers, model).items():
        Console(soft_wrap=True).print(f'the map {name} is left out: {why}')
        del explainers[name]
    rows = scored_maps(model, explainers, dataset, drawn_slices(dataset, args.num))
    draw_map_page(rows, args.out / PICTURE)
    made = f'{args.config}, {checkpoint.name} (sha256 {file_sha256(checkpoint)[:12]})'
    page = _page(rows, dataset.store, f'{made}, {args.role} patients')
    write_text(args.out / PAGE, page)
    Console(soft_wrap=True).print(f'{len(rows)} slices: {args.out / PAGE}')


def _page(rows: Sequence[dict[str, Any]], store: 'SliceStore', made: str) -> str:
    from xaicovid_mm.reproduction.markdown import markdown_table
    from xaicovid_mm.visualization.map_page import SHOWN, TITLES, mean_scores

    means = [
        [TITLES.get(name, name), *('n/a' if v is None else f'{v:.3f}' for v in scores.values())]
        for name, scores in mean_scores(rows).items()
    ]
    share = sum(row['share'] for row in rows) / len(rows)
    parts = [
        f'# Maps of {len(rows)} slices',
        PHANTOM if store.is_phantom else REAL,
        'Maps explain the true class and are drawn inside the lungs, each from 0 (black) to its '
        'largest value there.\nThe line is the true infection. `slice (intensity)` is the slice '
        'itself, taken as a map: a map that scores no better\nshows nothing that brightness does '
        'not. Nobody chose the slices: they are drawn by the hash of their name among those\nwith '
        'infection, one a patient first.',
        f'- **AUC**: how well a map tells infected from other pixels of the lungs; 0.5 is chance.\n'
        f'- **AP**: average precision; chance is the share of the lung that is infected, here '
        f'{share:.3f} on average.',
        f'Written by `tools/analysis_tools/map_page.py` of\n{made}.',
        f'![Slices with their maps]({PICTURE})',
        '## Mean over the slices',
        markdown_table(['map', *SHOWN], means),
    ]
    return '\n\n'.join(parts) + '\n'


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, required=True, help='folder of page and picture')
    parser.add_argument('--num', type=at_least_1, default=10, help='slices; default: %(default)s')
    add_role(parser)
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
