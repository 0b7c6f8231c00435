"""Measure time and memory of training steps, beside a bare PyTorch loop and captum.

python tools/analysis_tools/benchmark_train.py configs/quick/semi_vgg.py --checkpoint epoch_20.pth
python tools/analysis_tools/benchmark_train.py configs/semi_vgg.py --synthetic 128 --out bench.json

Batches are read in this process, without workers, so 'data' is the whole cost of a batch. The
accuracy of the saliency depends on the weights: give a trained checkpoint.
"""

import argparse
import copy
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from xaicovid_mm.cli.options import add_cfg_options
from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_text
from xaicovid_mm.utils.terminal import Console

if TYPE_CHECKING:  # slow to import
    from mmengine import Config

FULL_SIZE = Path(__file__).parents[2] / 'configs' / 'semi_vgg.py'
PAPER_SIDE = 224


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    from xaicovid_mm.engine.config import argument_errors

    logging.disable(logging.WARNING)
    with user_errors(), tempfile.TemporaryDirectory() as folder:
        cfg = _config(args, Path(folder))
        with argument_errors(cfg):
            results = _measure(args, cfg, Path(folder))
    _print(results, Console(width=100))
    if args.out:
        write_text(args.out, json.dumps(results, indent=1))


def _config(args: argparse.Namespace, folder: Path) -> 'Config':
    from xaicovid_mm.engine.config import load_config

    cfg = load_config(args.config, args.cfg_options)
    cfg.load_from = args.checkpoint
    return _on_synthetic(cfg, folder, args.synthetic) if args.synthetic else cfg


def _on_synthetic(cfg: 'Config', folder: Path, side: int) -> 'Config':
    from benchmark_utils.synthetic_store import write_synthetic_store

    cfg, store = copy.deepcopy(cfg), folder / f'store{side}'
    if not store.exists():
        write_synthetic_store(store, side)
    cfg.train_dataloader.dataset.update(store=str(store), split='default')
    return cfg


def _measure(args: argparse.Namespace, cfg: 'Config', folder: Path) -> dict[str, Any]:
    import torch
    from benchmark_utils.label_accuracy import against_captum, cheaper_settings, unlabelled_slices
    from benchmark_utils.step_memory import peak_memory
    from benchmark_utils.step_timing import time_steps
    from mmengine import Config

    from xaicovid_mm.apis import init_model
    from xaicovid_mm.registry import TASK_UTILS

    results: dict[str, Any] = dict(config=args.config, threads=torch.get_num_threads())
    if not args.no_memory:
        full = _on_synthetic(Config.fromfile(FULL_SIZE), folder, PAPER_SIDE)
        results['memory'] = {
            Path(args.config).as_posix(): peak_memory(cfg),
            f'{FULL_SIZE.name}, {PAPER_SIDE} px': peak_memory(full),
        }
    results['steps'] = time_steps(cfg, args.steps, args.warmup)
    if hook := cfg.default_hooks.get('pseudo_label'):
        model = init_model(cfg, args.checkpoint)
        labeler = TASK_UTILS.build(hook.labeler)
        images, truth = unlabelled_slices(cfg, args.label_slices)
        results['saliency'] = against_captum(model, labeler, images, args.steps)
        results['labels'] = cheaper_settings(model, labeler, images, truth)
    return results


def _print(results: dict[str, Any], console: Console) -> None:
    console.print(_step_table(results['steps']))
    for name, value in results['steps']['ratios'].items():
        console.print(f'{name}: {value:.3f}')
    if 'saliency' in results:
        saliency = results['saliency']
        ms, cosine = saliency['ms'], saliency['cosine']
        console.print(
            f'saliency of one slice: {ms["ours"]:.0f} ms ({saliency["setting"]}), captum at '
            f't = 20 {ms["captum"]:.0f} ms, ratio {saliency["ratio"]:.3f}; cosine with '
            f't = 100: {cosine["ours"]:.4f} and {cosine["captum"]:.4f}'
        )
        console.print(_label_table(results['labels']))
    for name, memory in results.get('memory', {}).items():
        console.print(
            f'peak memory of a step, {name}: {memory["peak"]:.0f} MiB for {memory["slices"]} '
            f'slices ({memory["before"]:.0f} MiB before the first)'
        )


def _step_table(steps: dict[str, Any]) -> Table:
    from benchmark_utils.step_timing import PARTS

    kinds = [kind for kind in ('bare', 'supervised', 'semi') if kind in steps]
    table = Table(title=f'ms of a step of {steps["slices"]} slices, median of {steps["rounds"]}')
    for title in ('part', *kinds):
        table.add_column(title, justify='left' if title == 'part' else 'right')
    for part in PARTS:
        values = [steps[kind]['parts'].get(part) for kind in kinds]
        table.add_row(part, *('' if v is None else f'{v:.1f}' for v in values))
    table.add_section()
    table.add_row('step without data', *(f'{steps[kind]["ms"]:.1f}' for kind in kinds))
    table.add_row('slices/s', *(f'{steps[kind]["slices_per_s"]:.2f}' for kind in kinds))
    return table


def _label_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title='pseudo labels beside those of t = 50 (Dice at 0.5, in points)')
    for column in rows[0]:
        table.add_column(column, justify='right')
    for row in rows:
        table.add_row(*(f'{v:.4f}' if isinstance(v, float) else str(v) for v in row.values()))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('config', help='a file below configs/')
    parser.add_argument('--checkpoint', help='trained weights of that config')
    parser.add_argument('--steps', type=int, default=10, help='timed rounds')
    parser.add_argument(
        '--warmup', type=int, default=2, help='rounds before them that are not timed'
    )
    parser.add_argument(
        '--synthetic', type=int, metavar='SIDE', help='use a synthetic store of this size'
    )
    parser.add_argument(
        '--label-slices', type=int, default=16, help='slices for the accuracy of labels'
    )
    parser.add_argument('--no-memory', action='store_true', help='do not measure memory')
    parser.add_argument('--out', type=Path, help='JSON file for all figures')
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':
    main()
