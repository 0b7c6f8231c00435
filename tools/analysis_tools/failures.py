"""Show where a model fails: tables by site, class, lesion, lung and position, and the worst cases.

python tools/analysis_tools/failures.py WORK_DIR/test_val --store data/phantom/store
python tools/analysis_tools/failures.py WORK_DIR/test_val --config CONFIG --checkpoint epoch_20.pth

The folder is one that tools/test.py wrote. With a config and its checkpoint, strips of the worst
slices are drawn, and the store is that of the config.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xaicovid_mm.cli.parser import CommandParser, at_least_1
from xaicovid_mm.cli.paths import output_folder
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.evaluation.metric_definitions import INTERVAL, definition
from xaicovid_mm.reproduction.markdown import markdown_table, score_cell
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_text
from xaicovid_mm.utils.terminal import Console

if TYPE_CHECKING:  # slow to import
    from mmengine import Config

    from xaicovid_mm.evaluation.slice_scores import Rows

PAGE, DATA, STRIP = 'failures.md', 'failures.json', 'failures.png'


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    with user_errors():
        if bool(args.config) != bool(args.checkpoint):
            raise ValueError('strips need both --config and --checkpoint')
        _write(args)


def _write(args: argparse.Namespace) -> None:
    from xaicovid_mm.engine.config import load_config
    from xaicovid_mm.evaluation.comparison import read_test_rows
    from xaicovid_mm.evaluation.failure_tables import failure_tables, worst_cases

    out = output_folder(args.out or args.tested, '--out')
    rows = read_test_rows(args.tested)
    cfg = load_config(args.config) if args.config else None
    root = args.store or (cfg.test_dataloader.dataset.store if cfg else None)
    store = None if root is None else SliceStore(root)
    tables = failure_tables(rows['seg'], rows['cls'], store)
    worst = worst_cases(rows['seg'], rows['cls'], args.num)
    strip = cfg is not None and _draw(cfg, args, rows['seg'])
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / PAGE, _page(tables, worst, store, strip))
    write_text(out / DATA, json.dumps(dict(tables=tables, worst=worst), indent=1))
    Console().print(f'{out / PAGE}', soft_wrap=True)


def _draw(cfg: 'Config', args: argparse.Namespace, infection: 'Rows') -> bool:
    """Draw the worst slices with the maps, the worst first; whether there are any."""
    from mmengine.registry import init_default_scope

    from xaicovid_mm.apis import init_model
    from xaicovid_mm.evaluation.failure_tables import worst_slices
    from xaicovid_mm.registry import DATASETS
    from xaicovid_mm.visualization.explain_slices import explain_slices
    from xaicovid_mm.visualization.figure_strip import draw_strip

    chosen = worst_slices(infection, args.num)
    if not chosen:
        return False
    init_default_scope('xaicovid_mm')
    tested = json.loads((args.tested / 'report.json').read_text(encoding='utf-8'))['tested']
    cfg.test_dataloader.dataset.roles = [tested['role']]
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    model = init_model(cfg, args.checkpoint)
    names = dataset.sample_ids
    where = [names.index(name) for name in chosen if name in names]
    if len(where) < len(chosen):
        raise ValueError(
            f'{len(chosen) - len(where)} of the worst slices are not among the {tested["role"]} '
            f'slices of {dataset.store.root}: give the config of the test'
        )
    rows = explain_slices(model, cfg, dataset, where)
    draw_strip(rows, (args.out or args.tested) / STRIP)
    return True


def _page(
    tables: dict[str, dict], worst: list[dict[str, Any]], store: SliceStore | None, strip: bool
) -> str:
    from xaicovid_mm.evaluation.failure_tables import SHOWN

    beware = '**Beware:** these are phantom figures and say nothing of patients.'
    parts = ['# Where the model fails', *([beware] if store and store.is_phantom else [])]
    parts.append(
        'One training. An interval is over the patients n of its cell, and there is none under 6. '
        'The groups are looked at after the fact: a difference between two is a question, not a '
        'finding. Class and site can go together.'
    )
    if strip:
        parts.append(f'![the slices of the lowest Dice, one a case]({STRIP})')
    if worst:
        cells = [
            [w['case'], w['site'], w['label'], 'wrong' if w['wrong_class'] else 'right']
            + [f'{w["dice"]:.3f}', ', '.join(f'{score:.2f}' for score in w['doubt'])]
            for w in worst
        ]
        header = [
            'case',
            'site',
            'class',
            'class found',
            'Dice of the case',
            'doubt in class, mask',
        ]
        parts += ['## Worst cases', markdown_table(header, cells)]
    for title, groups in tables.items():
        lines = [
            [group, *(_cell(scores.get(name)) for name in SHOWN.values())]
            for group, scores in groups.items()
        ]
        parts += [f'## By {title}', markdown_table(['group', *SHOWN], lines)]
    meanings = [f'- {title}: {definition(name)}.' for title, name in SHOWN.items()]
    parts += ['## What the columns mean', '\n'.join([*meanings, f'- Interval: {INTERVAL}'])]
    return '\n\n'.join(parts) + '\n'


def _cell(score: dict[str, Any] | None) -> str:
    if score is None:
        return 'n/a'
    return score_cell(score['value'], score['low'], score['high'], score['patients'])


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('tested', type=Path, help='folder that tools/test.py wrote')
    parser.add_argument('--store', type=Path, help='for lung area and distance of slices')
    parser.add_argument('--config', help='of the training, with --checkpoint: draws strips')
    parser.add_argument('--checkpoint', help='of the training, with --config')
    parser.add_argument('--num', type=at_least_1, default=6, help='worst cases and slices')
    parser.add_argument('--out', type=Path, help='folder; default: the tested one')
    return parser


if __name__ == '__main__':
    main()
