"""What ``tools/reproduce.py`` does once its arguments are read."""

import argparse
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..engine.config.files import project_folder
from ..reproduction.budget_report import write_budget_report
from ..reproduction.cost import cost_table, expected_hours, write_jobs
from ..reproduction.execution import execute
from ..reproduction.figures import draw_figures
from ..reproduction.planning import plan
from ..reproduction.report import write_comparison_report
from ..reproduction.runs import Run, Setting
from ..reproduction.scores import read_finished
from ..reproduction.systems import BENCHMARK, choose_systems
from ..utils.terminal import Console
from .paths import output_folder

PROJECT = project_folder()
GPU_TFLOPS, CPU_TFLOPS = 10.0, 0.05
"""Sustained speeds: a guess for a GPU, and what one core did of our encoder, forward and back."""
LOOK_EVERY_S = 2.0
STOPPED = 130
"""Exit code of a shell's commands that Ctrl-C ended."""
COLUMNS = (
    TextColumn('{task.description}'),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


def run_all(args: argparse.Namespace) -> None:
    """Train and test what is missing, and report.

    Args:
        args: As the parser of ``tools/reproduce.py`` gives them.
    """
    console = Console()
    MMLogger.get_current_instance().setLevel('WARNING')  # of every variable that a config reads
    output_folder(args.out, '--out')
    output_folder(args.work_dir, '--work-dir')
    settings = _settings(args)
    by_budget = bool(args.budget) or len(args.split) > 1
    names = args.rows or (BENCHMARK if by_budget else None)
    seeds = range(args.seeds) if args.only_seed is None else [args.only_seed]
    runs = plan(choose_systems(names), seeds, settings)
    if args.report_only and not any(run.is_done() for run in runs):
        raise ValueError(
            f'--report-only: none of {len(runs)} runs is done in {args.work_dir}: start them '
            'without it, or give the --work-dir, options and code that they were made with'
        )
    args.out.mkdir(parents=True, exist_ok=True)
    if args.scale == 'paper' and args.only_seed is None and not args.report_only:
        console.print(cost_table(runs, tflops=args.tflops or GPU_TFLOPS, gpus=args.gpus))
        console.print(
            f'jobs: sbatch {write_jobs(runs, out=args.out, gpus=args.gpus)}', soft_wrap=True
        )
        console.print('when they are done: the same command with --report-only')
        return
    try:
        failed = [] if args.report_only else _execute(runs, args, console)
    except KeyboardInterrupt:
        console.print('stopped: the same command goes on from here')
        raise SystemExit(STOPPED) from None
    if args.only_seed is None:
        console.print(f'report: {_report(runs, args, by_budget)}', soft_wrap=True)
    if failed:
        raise SystemExit(1)


def _settings(args: argparse.Namespace) -> list[Setting]:
    """A setting for each budget and split, in the order of the command line.

    Raises:
        ValueError: If a split for choices is not among the splits.
    """
    if unknown := sorted(set(args.choices) - set(args.split)):
        raise ValueError(f'--choices {unknown} are not among --split {args.split}')
    if args.choices and not set(args.split) - set(args.choices):
        raise ValueError(f'--choices {args.choices} leave no --split that reports: leave some out')
    recipe = args.recipe or ('recommended' if args.budget else 'paper')
    return [
        Setting(
            scale=args.scale,
            recipe=recipe,
            amp=args.amp,
            store=args.store.resolve(),
            split=split,
            budget=budget,
            role=args.role,
            root=args.work_dir.resolve(),
            project=PROJECT,
        )
        for budget in dict.fromkeys(args.budget or [None])
        for split in dict.fromkeys(args.split)
    ]


def _report(runs: Sequence[Run], args: argparse.Namespace, by_budget: bool) -> Path:
    if by_budget:
        return write_budget_report(args.out, runs=runs, choices=args.choices)
    tests = read_finished(runs)
    figures = draw_figures(runs, tests=tests, out=args.out)
    setting = runs[0].setting
    return write_comparison_report(
        args.out, setting=setting, runs=runs, tests=tests, figures=figures
    )


def _execute(runs: Sequence[Run], args: argparse.Namespace, console: Console) -> list[Run]:
    """Runs side by side, each on its share of the cores; what failed is printed and returned."""
    failed: list[Run] = []
    jobs = args.jobs
    missing = list({run.folder: run for run in runs if not run.is_done()}.values())
    console.print(f'{len(runs)} runs, {len(missing)} to do, {jobs} at a time')
    if missing:
        hours, measured = expected_hours(runs, args.tflops or _assumed_tflops())
        how = 'as long as the runs that are done' if measured else 'in part a guess, see --tflops'
        console.print(f'about {hours / jobs:.1f} hours ({how})')
    threads = max(torch.get_num_threads() // jobs, 1)  # of the cores that a scheduler gives
    with Progress(*COLUMNS, console=console) as progress, ThreadPoolExecutor(jobs) as pool:
        bar = progress.add_task('epochs', total=sum(run.epochs for run in missing))
        waiting = {pool.submit(execute, run, threads): run for run in missing}
        pending = set(waiting)
        try:
            while pending:
                ended, pending = wait(pending, LOOK_EVERY_S, FIRST_COMPLETED)
                for future in ended:
                    said, run = _outcome(future), waiting[future]
                    failed += [run] if said else []
                    console.print(f'{run.name}, seed {run.seed}: {said or "done"}')
                progress.update(bar, completed=sum(run.epochs_trained() for run in missing))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def _outcome(future: Future) -> str:
    """What went wrong, empty if nothing did."""
    try:
        future.result()
    except (OSError, ValueError) as error:  # RunError among them
        return f'failed, {error}'
    return ''


def _assumed_tflops() -> float:
    return GPU_TFLOPS if torch.cuda.is_available() else CPU_TFLOPS
