r"""The comparison of Tables III to V on a store: train what is missing, test, write report/.

With --budget or several splits: label efficiency, every system by the number of annotated slices.

python tools/reproduce.py --store data/phantom/store --scale quick --seeds 1 --jobs 2
python tools/reproduce.py --store data/benchmark/store --split benchmark --role val \
    --scale real --seeds 2 --rows unet ours_sup ours_semi
python tools/reproduce.py --store data/benchmark/store --scale real --budget 8 32 all \
    --split fold0 fold1 fold2 fold3 fold4 --choices fold0 fold1 --role val --jobs 2
python tools/reproduce.py --store data/mine/store --scale paper    # a plan and slurm jobs

Stop it when you like: started again, it goes on. A run counts only if it was trained to its end
and tested by this very code on this very data. Exit code 1: some run failed, see its log.txt.
"""

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

from ..engine.config_files import project_folder
from ..reproduction.budget import cost_table, expected_hours, write_jobs
from ..reproduction.budget_report import write_budget_report
from ..reproduction.figures import draw_figures
from ..reproduction.report import write_comparison_report
from ..reproduction.runs import RECIPES, SCALES, Run, Setting, execute, plan
from ..reproduction.scores import read_finished
from ..reproduction.systems import BENCHMARK, choose_systems
from ..utils.errors import user_errors
from ..utils.terminal import Console
from .parser import CommandParser

TOOL = 'tools/reproduce.py'
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


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args, console = _parser(prog).parse_args(argv), Console()
    MMLogger.get_current_instance().setLevel('WARNING')  # of every variable that a config reads
    with user_errors():
        settings = _settings(args)
        by_budget = bool(args.budget) or len(args.split) > 1
        names = args.rows or (BENCHMARK if by_budget else None)
        seeds = range(args.seeds) if args.only_seed is None else [args.only_seed]
        runs = plan(choose_systems(names), seeds, settings)
        args.out.mkdir(parents=True, exist_ok=True)
        if args.scale == 'paper' and args.only_seed is None and not args.report_only:
            console.print(cost_table(runs, tflops=args.tflops or GPU_TFLOPS, gpus=args.gpus))
            console.print(f'jobs: sbatch {write_jobs(runs, out=args.out, gpus=args.gpus)}')
            console.print('when they are done: the same command with --report-only')
            return
        try:
            failed = [] if args.report_only else _execute(runs, args, console)
        except KeyboardInterrupt:
            console.print('stopped: the same command goes on from here')
            raise SystemExit(STOPPED) from None
        if args.only_seed is None:
            console.print(f'report: {_report(runs, args, by_budget)}')
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


def _budget(text: str) -> int | None:
    return None if text == 'all' else _at_least_1(text)


def _at_least_1(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f'{number} must be 1 or more')
    return number


def _above_0(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError(f'{text} must be above 0')
    return number


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('--store', type=Path, required=True, help='slice store')
    parser.add_argument('--split', nargs='+', default=['default'], help='one, or folds')
    parser.add_argument(
        '--choices', nargs='+', default=[], metavar='SPLIT', help='folds on which choices were made'
    )
    parser.add_argument(
        '--budget', nargs='+', type=_budget, metavar='N', help='annotated slices; all: as split'
    )
    parser.add_argument('--role', choices=['test', 'val'], default='test', help='who is scored')
    parser.add_argument('--scale', choices=SCALES, default='quick')
    parser.add_argument(
        '--recipe',
        choices=RECIPES,
        help='of norm, loss, schedule and steps; default: recommended with --budget, else paper',
    )
    parser.add_argument('--seeds', type=_at_least_1, default=3, help='0 to N-1')
    parser.add_argument('--only-seed', type=int, help='this seed alone, and no report')
    parser.add_argument('--rows', nargs='+', help='names of systems; default: all')
    parser.add_argument('--jobs', type=_at_least_1, default=1, help='runs side by side')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/reproduce'))
    parser.add_argument('--out', type=Path, default=Path('report'))
    parser.add_argument('--amp', action='store_true', help='train with bfloat16')
    parser.add_argument('--report-only', action='store_true', help='train nothing')
    parser.add_argument(
        '--gpus', type=_at_least_1, default=4, help='of the plan at the paper scale'
    )
    parser.add_argument('--tflops', type=_above_0, help='that a device sustains; default: a guess')
    return parser
