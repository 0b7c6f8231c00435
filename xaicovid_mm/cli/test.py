"""Test a checkpoint: the table with intervals, as text, JSON and CSV, and the figure strip.

python tools/test.py configs/quick/recommended_semi.py epoch_20.pth --show-dir strips
"""

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

from mmengine import Config, DictAction
from mmengine.dist import is_main_process

from ..data_prep.store.reader import SliceStore
from ..engine import CTRunner
from ..engine.config import argument_errors, load_config
from ..engine.ct_runner import MMENGINE_HOOKS
from ..engine.launch import launched, leave_process
from ..evaluation.score_report import as_table, make_report, write_score_report
from ..evaluation.slice_scores import ROW_FILES, read_rows
from ..registry import RUNNERS
from ..utils.errors import user_errors
from ..utils.files import file_sha256
from ..utils.model import unwrap_model
from ..utils.terminal import Console
from ..visualization.explain_slices import explain_slices, figure_labeler
from ..visualization.figure_strip import draw_strip
from .parser import CommandParser

TOOL = 'tools/test.py'
ROWS = {'InfectionMetric': ROW_FILES['seg'], 'DiagnosisMetric': ROW_FILES['cls']}


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors():
        cfg = _config(args)
        with argument_errors(cfg), launched(cfg, args.launcher):
            runner = RUNNERS.get(cfg.get('runner_type', 'CTRunner')).from_cfg(_for_test(cfg))
            for name in ROWS.values():  # a metric without slices writes none
                Path(cfg.work_dir, name).unlink(missing_ok=True)
            runner.test()
            if is_main_process():
                _report(args, cfg, runner)
    leave_process(args.launcher)


def _config(args: argparse.Namespace) -> Config:
    cfg = load_config(args.config, args.cfg_options)
    cfg.work_dir = args.work_dir or str(Path(args.checkpoint).parent / f'test_{args.role}')
    cfg.load_from, cfg.resume = args.checkpoint, False
    cfg.test_dataloader.dataset.roles = [args.role]
    for metric in cfg.test_evaluator:
        metric.out_file = str(Path(cfg.work_dir, ROWS[metric.type]))
    return cfg


def _for_test(cfg: Config) -> Config:
    """The config without the hooks of training, which may want slices that a store has not."""
    tested = copy.deepcopy(cfg)
    tested.default_hooks = {
        name: hook for name, hook in cfg.default_hooks.items() if name in MMENGINE_HOOKS
    }
    return tested


def _report(args: argparse.Namespace, cfg: Config, runner: CTRunner) -> None:
    folder = Path(cfg.work_dir)
    infection, diagnosis = (read_rows(folder / name) for name in ROWS.values())
    report = make_report(infection, diagnosis) | dict(tested=_tested(args, cfg))
    write_score_report(report, args.out or folder / 'report.json')
    store: SliceStore = runner.test_dataloader.dataset.store
    patients = 'phantom patients' if store.is_phantom else 'patients'
    title = f'{args.checkpoint} on the {args.role} {patients} of {store.root}'
    Console(width=110).print(as_table(report, title))
    if args.show_dir:
        Path(args.show_dir).mkdir(parents=True, exist_ok=True)
        _draw(cfg, runner, Path(args.show_dir, 'strip.png'), args.num)


def _tested(args: argparse.Namespace, cfg: Config) -> dict[str, str]:
    """What the figures are of, so that they cannot be taken for another model's."""
    dataset = cfg.test_dataloader.dataset
    return dict(
        checkpoint_sha256=file_sha256(args.checkpoint),
        store_sha256=file_sha256(Path(dataset.store, 'manifest.json')),
        split=dataset.split,
        role=args.role,
    )


def _draw(cfg: Config, runner: CTRunner, path: Path, num: int) -> None:
    dataset = runner.test_dataloader.dataset
    if not (dataset.store.index['infection_px'][dataset.rows] > 0).any():
        Console().print('no figure strip: none of the slices is known to hold infection')
        return
    model = unwrap_model(runner.model)
    draw_strip(explain_slices(model, figure_labeler(cfg), dataset, count=num), path)
    Console().print(f'figure strip: {path}')


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--role', choices=['test', 'val'], default='test', help='whose patients')
    parser.add_argument('--work-dir', help='default: test_<role> beside the checkpoint')
    parser.add_argument('--out', help='JSON of the table; default: report.json in the work dir')
    parser.add_argument('--show-dir', help='write the figure strip there')
    parser.add_argument('--num', type=int, default=4, help='slices of the strip')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='KEY.KEY=VALUE ...')
    launchers = ('none', 'pytorch', 'slurm', 'mpi')
    parser.add_argument('--launcher', choices=launchers, default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='for torchrun')
    return parser
