"""What ``tools/test.py`` does once its arguments are read."""

import argparse
import copy
import re
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
from ..engine.provenance import check_provenance, provenance, provenance_of
from ..engine.trained_model import trained_model
from ..engine.two_predictions import compare_predictions, mirror_predictions
from ..evaluation.explanation.report_maps import report_maps
from ..evaluation.explanation.summary import explanation_table, number_rows
from ..evaluation.failure_tables import typical_slices
from ..evaluation.score_report import as_table, make_report, write_score_report
from ..evaluation.slice_scores import ROW_FILES, Rows, read_rows
from ..models import MultiTaskModel
from ..registry import RUNNERS
from ..utils.errors import ConfigError
from ..utils.files import file_sha256
from ..utils.model import unwrap_model
from ..utils.terminal import Console
from ..visualization.explain_slices import explain_slices
from ..visualization.figure_strip import draw_strip
from .paths import checkpoint_file, new_work_dir, output_file, output_folder
from .stores import check_stores

ROWS = {'InfectionMetric': ROW_FILES['seg'], 'DiagnosisMetric': ROW_FILES['cls']}
FOR_TESTS = ('test_dataloader', 'test_evaluator', 'test_cfg')
EXPLANATIONS = 'explanations.csv'
"""What ``--explain`` writes into the work dir, with a JSON file of that name."""
SHOWN = re.compile(r'\w+/(infection|cause)_auc_of_true_class_patient_mean')
"""Scores of maps that stand in the table of a test."""
MODEL_HOOK = 'xaicovid_mm.evaluation.explanation.model_hook.ExplanationModelHook'
_MEANING = (
    'area under the ROC curve of a map of the true class against the lesion, pixels inside the '
    'lungs, mean over slices of a patient, mean over patients; 0.5 is chance'
)


def run(args: argparse.Namespace) -> None:
    """Test a checkpoint and report.

    Args:
        args: As the parser of ``tools/test.py`` gives them.
    """
    cfg = _config(args)
    second = _second(cfg, args.second) if args.second else None
    rows = [Path(cfg.work_dir, name) for name in ROWS.values()]
    with (
        new_work_dir(cfg.work_dir, lambda: any(row.is_file() for row in rows)),
        argument_errors(cfg),
        worker_errors(),
        launched(cfg, args.launcher),
    ):
        runner = RUNNERS.get(cfg.get('runner_type', 'CTRunner')).from_cfg(_for_test(cfg))
        for name in (*ROWS.values(), EXPLANATIONS, _table_of(EXPLANATIONS)):  # of another test
            Path(cfg.work_dir, name).unlink(missing_ok=True)
        network = unwrap_model(runner.model)
        if args.tta:
            mirror_predictions(network)
        if second:
            compare_predictions(network, second.to(next(network.parameters()).device))
        runner.test()
        if is_main_process():
            _report(args, cfg, runner)
    leave_process(args.launcher)


def _config(args: argparse.Namespace) -> Config:
    cfg = load_config(args.config, args.cfg_options)
    checkpoint = checkpoint_file(args.checkpoint)
    read_checkpoint(checkpoint)  # before a log begins
    if missing := [key for key in FOR_TESTS if not cfg.get(key)]:
        raise ConfigError(f'{args.config} has no {missing[0]}: give it {", ".join(FOR_TESTS)}')
    check_stores(cfg, 'test_dataloader')
    folder = args.work_dir or checkpoint.parent / f'test_{args.role}'
    cfg.work_dir = str(output_folder(folder, '--work-dir'))
    if args.show_dir:
        output_folder(args.show_dir, '--show-dir')
    if args.out:
        output_file(args.out)
    cfg.load_from, cfg.resume = args.checkpoint, False
    cfg.allow_changes = args.allow_changes
    cfg.test_dataloader.dataset.roles = [args.role]
    if isinstance(cfg.test_evaluator, dict):
        cfg.test_evaluator = [cfg.test_evaluator]
    for metric in cfg.test_evaluator:
        if metric.type in ROWS:
            metric.out_file = str(Path(cfg.work_dir, ROWS[metric.type]))
    if args.explain:
        _explain(cfg)
    return cfg


def _explain(cfg: Config) -> None:
    """Score the maps as well, if the network has a class to explain."""
    if cfg.model.get('cls_head') is None:
        Console(soft_wrap=True).print(
            'no map is scored: the network has no cls_head, so there is no class to explain'
        )
        return
    explained = dict(
        type='ExplanationMetric',
        maps=report_maps(cfg),
        store=cfg.test_dataloader.dataset.store,
        explained='true',
        out_file=str(Path(cfg.work_dir, EXPLANATIONS)),
    )
    cfg.test_evaluator = [*cfg.test_evaluator, explained]
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type=MODEL_HOOK)]


def _second(cfg: Config, path: str) -> MultiTaskModel:
    """The network that the tested one is compared with, refused where that one would be."""
    checkpoint = checkpoint_file(path)
    check_provenance(read_checkpoint(checkpoint), cfg.to_dict(), checkpoint)
    return trained_model(cfg, checkpoint)


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
    maps = number_rows(read_rows(folder / EXPLANATIONS))
    scores = _map_scores(maps)
    report['scores'] |= scores
    report['definitions'] |= dict.fromkeys(scores, _MEANING)
    for site, its in report['sites'].items():
        its |= _map_scores([row for row in maps if row['site'] == site])
    path = Path(args.out or folder / 'report.json')
    path.parent.mkdir(parents=True, exist_ok=True)
    write_score_report(report, path)
    store: SliceStore = runner.test_dataloader.dataset.store
    patients = 'phantom patients' if store.is_phantom else 'patients'
    tta = ', mean of each slice and its mirror image' if args.tta else ''
    title = f'{args.checkpoint}{tta} on the {args.role} {patients} of {store.root}'
    Console(width=110).print(as_table(report, title))
    if args.show_dir:
        _draw(cfg, runner, Path(args.show_dir, 'strip.png'), infection, args.num)


def _map_scores(rows: Rows) -> dict[str, dict]:
    """The scores of maps that a table shows; none without ``--explain``."""
    table = explanation_table(rows)
    return {f'explain/{name}': s for name, s in table.items() if SHOWN.fullmatch(name)}


def _table_of(name: str) -> str:
    return str(Path(name).with_suffix('.json'))


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
        second_sha256=file_sha256(args.second) if args.second else None,
        trained_with=trained or None,
    )


def _draw(cfg: Config, runner: CTRunner, path: Path, infection: Rows, num: int) -> None:
    """Draw slices from the best to the worst Dice."""
    chosen = typical_slices(infection, num)
    if not chosen:
        Console().print('no figure strip: none of the slices is known to hold infection')
        return
    dataset, model = runner.test_dataloader.dataset, unwrap_model(runner.model)
    names = dataset.sample_ids
    positions = [names.index(name) for name in chosen]
    draw_strip(explain_slices(model, cfg, dataset, positions), path)
    Console(soft_wrap=True).print(f'figure strip: {path}')
