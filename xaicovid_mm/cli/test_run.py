"""What ``tools/test.py`` does once its arguments are read."""

import argparse
import copy
from pathlib import Path
from typing import Any

from mmengine import Config
from mmengine.dist import is_main_process

from ..data_prep.store.reader import SliceStore
from ..engine import CTRunner
from ..engine.checkpoint import read_checkpoint
from ..engine.config import argument_errors, load_config
from ..engine.ct_runner import MMENGINE_HOOKS
from ..engine.launch import launched, leave_process, worker_errors
from ..engine.provenance import provenance, provenance_of
from ..engine.tta import mirror_predictions
from ..evaluation.score_report import as_table, make_report, write_score_report
from ..evaluation.slice_scores import ROW_FILES, read_rows
from ..registry import RUNNERS
from ..utils.files import file_sha256
from ..utils.model import unwrap_model
from ..utils.terminal import Console
from ..visualization.explain_slices import explain_slices, figure_labeler
from ..visualization.figure_strip import draw_strip
from .paths import checkpoint_file, output_folder

ROWS = {'InfectionMetric': ROW_FILES['seg'], 'DiagnosisMetric': ROW_FILES['cls']}


def run(args: argparse.Namespace) -> None:
    """Test a checkpoint and report.

    Args:
        args: As the parser of ``tools/test.py`` gives them.
    """
    cfg = _config(args)
    with argument_errors(cfg), worker_errors(), launched(cfg, args.launcher):
        runner = RUNNERS.get(cfg.get('runner_type', 'CTRunner')).from_cfg(_for_test(cfg))
        for name in ROWS.values():  # a metric without slices writes none
            Path(cfg.work_dir, name).unlink(missing_ok=True)
        if args.tta:
            mirror_predictions(unwrap_model(runner.model))
        runner.test()
        if is_main_process():
            _report(args, cfg, runner)
    leave_process(args.launcher)


def _config(args: argparse.Namespace) -> Config:
    cfg = load_config(args.config, args.cfg_options)
    checkpoint = checkpoint_file(args.checkpoint)
    folder = args.work_dir or checkpoint.parent / f'test_{args.role}'
    cfg.work_dir = str(output_folder(folder, '--work-dir'))
    for option, path in (('--show-dir', args.show_dir), ('--out', args.out)):
        if path:
            output_folder(path if option == '--show-dir' else Path(path).parent, option)
    cfg.load_from, cfg.resume = args.checkpoint, False
    cfg.allow_changes = args.allow_changes
    cfg.test_dataloader.dataset.roles = [args.role]
    for metric in cfg.test_evaluator:
        if metric.type in ROWS:
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
    tta = ', mean of each slice and its mirror image' if args.tta else ''
    title = f'{args.checkpoint}{tta} on the {args.role} {patients} of {store.root}'
    Console(width=110).print(as_table(report, title))
    if args.show_dir:
        _draw(cfg, runner, Path(args.show_dir, 'strip.png'), args.num)


def _tested(args: argparse.Namespace, cfg: Config) -> dict[str, Any]:
    """What the figures are of, so that they cannot be taken for another model's."""
    tested = provenance(cfg.to_dict(), 'test_dataloader')
    trained = provenance_of(read_checkpoint(Path(args.checkpoint)))
    for hashes in (tested, trained):
        hashes.pop('settings', None)
    return dict(
        checkpoint_sha256=file_sha256(args.checkpoint),
        **tested,
        role=args.role,
        tta='mirror' if args.tta else None,
        trained_with=trained or None,
    )


def _draw(cfg: Config, runner: CTRunner, path: Path, num: int) -> None:
    dataset = runner.test_dataloader.dataset
    if not (dataset.store.index['infection_px'][dataset.rows] > 0).any():
        Console().print('no figure strip: none of the slices is known to hold infection')
        return
    model = unwrap_model(runner.model)
    draw_strip(explain_slices(model, figure_labeler(cfg), dataset, count=num), path)
    Console().print(f'figure strip: {path}')
