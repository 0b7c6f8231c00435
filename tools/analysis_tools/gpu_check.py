"""Is this GPU right, and how fast is it? One command, at most eight minutes, one JSON file.

python tools/analysis_tools/gpu_check.py --out gpu.json
python tools/analysis_tools/gpu_check.py --without-gpu --side 64 --steps 1    # its CPU half

It compares the GPU with the CPU, resumes to the bit, trains by nccl, and times the full-size
semi-supervised step beside a bare loop: float32, then each option by itself, then all. It makes
its own synthetic slices. A part that fails is reported, and the others go on. Exit code 1: a check
failed.
"""

import argparse
import datetime
import json
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.errors import user_errors
from xaicovid_mm.utils.files import write_text
from xaicovid_mm.utils.terminal import Console

if TYPE_CHECKING:  # slow to import
    from mmengine import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
FULL, QUICK = CONFIGS / 'recommended_semi.py', CONFIGS / 'quick' / 'recommended_semi.py'
BFLOAT16 = {'optim_wrapper.type': 'BFloat16OptimWrapper'}
OPTIONS: dict[str, dict[str, Any]] = {
    'float32': {'model.channels_last': False},
    'channels last': {'model.channels_last': True},
    'bfloat16': {'model.channels_last': False, **BFLOAT16},
    'compiled': {'model.channels_last': False, 'compile': True},
    'pinned, non-blocking': {
        'model.channels_last': False,
        'train_dataloader.pin_memory': True,
        'model.data_preprocessor.non_blocking': True,
    },
    'channels last, bfloat16': {'model.channels_last': True, **BFLOAT16},
}
WORKERS = (0, 2, 4, 8)
LOADER_BATCHES = 24
SIDE_OF_RUNS = 96
EVERY_MS = 100


def main(argv: Sequence[str] | None = None) -> None:
    args = _parser().parse_args(argv)
    import torch

    console = Console(width=100)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cpu' and not args.without_gpu:
        console.print('torch finds no GPU: nothing was checked (--without-gpu: the CPU half)')
        return
    logging.disable(logging.WARNING)
    with user_errors(), tempfile.TemporaryDirectory() as scratch:
        results = _check(args, device, Path(scratch), console)
    console.print(_table(results))
    if args.out:
        write_text(args.out, json.dumps(results, indent=1))
    if failed := [name for name, part in results.items() if not part.get('passed', True)]:
        console.print(f'failed: {", ".join(failed)}')
        raise SystemExit(1)


def _check(
    args: argparse.Namespace, device: str, folder: Path, console: Console
) -> dict[str, dict[str, Any]]:
    import torch
    from benchmark_utils.device_checks import equal_to_cpu, resumes_to_the_bit, trains_distributed
    from benchmark_utils.synthetic_store import write_synthetic_store

    from xaicovid_mm.engine.config import load_config

    full, small = folder / 'full', folder / 'small'
    os.environ.update(XAICOVID_STORE=str(full), XAICOVID_SPLIT='default')  # what configs read
    write_synthetic_store(full, args.side)
    write_synthetic_store(small, min(args.side, SIDE_OF_RUNS))
    cfg, processes = load_config(FULL), max(torch.cuda.device_count(), 1)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        'machine': lambda: _machine(device),
        'equal to the CPU': lambda: equal_to_cpu(cfg, device),
        'resume': lambda: resumes_to_the_bit(QUICK, small, folder / 'resume'),
        'distributed': lambda: trains_distributed(QUICK, small, folder, processes),
        **{f'step, {name}': _step(name, args, device) for name in _options(args, device)},
    }
    results: dict[str, dict[str, Any]] = {}
    for name, part in parts.items():
        start = time.perf_counter()
        try:
            results[name] = part()
        except Exception as error:  # of one part; the others still say something
            results[name] = dict(error=f'{type(error).__name__}: {error}', passed=False)
        results[name]['seconds'] = round(time.perf_counter() - start, 1)
        console.print(f'{name}: {results[name]["seconds"]} s')
    speeds = [r['slices_per_s'] for r in results.values() if 'slices_per_s' in r]
    results['loader'] = _loader(cfg, max(speeds, default=0.0))
    return results


def _machine(device: str) -> dict[str, Any]:
    import torch

    from xaicovid_mm.engine.mixed_precision import has_bfloat16

    return dict(
        card=torch.cuda.get_device_name() if device == 'cuda' else platform.processor() or 'CPU',
        cards=torch.cuda.device_count(),
        bfloat16=has_bfloat16(device),
        torch=str(torch.__version__),
        cuda=torch.version.cuda,
        threads=torch.get_num_threads(),
        date=datetime.date.today().isoformat(),
    )


def _options(args: argparse.Namespace, device: str) -> list[str]:
    """Settings whose step is timed; what the device lacks is left out, and compiling on request."""
    from xaicovid_mm.engine.mixed_precision import has_bfloat16

    without = set() if has_bfloat16(device) else {n for n in OPTIONS if 'bfloat16' in n}
    without |= {'pinned, non-blocking'} if device == 'cpu' else set()
    return [n for n in OPTIONS if n not in without and (n != 'compiled' or not args.no_compile)]


def _step(name: str, args: argparse.Namespace, device: str) -> Callable[[], dict[str, Any]]:
    import torch
    from benchmark_utils.step_timing import time_steps

    from xaicovid_mm.engine.config import load_config

    def timed() -> dict[str, Any]:
        if device == 'cuda':
            torch.cuda.reset_peak_memory_stats()
        with _utilisation(device) as used:
            steps = time_steps(load_config(FULL, dict(OPTIONS[name])), args.steps, warmup=3)
        return dict(
            side=args.side,
            slices=steps['slices'],
            ms={kind: steps[kind]['ms'] for kind in ('bare', 'supervised', 'semi')},
            ratios=steps['ratios'],
            slices_per_s=steps['semi']['slices_per_s'],
            parts_ms=steps['semi']['parts'],
            peak_mib=torch.cuda.max_memory_allocated() / 2**20 if device == 'cuda' else None,
            gpu_busy_percent=sum(used) / len(used) if used else None,
        )

    return timed


def _loader(cfg: 'Config', needed: float) -> dict[str, Any]:
    """Slices per second by the number of workers, and how many a step of the fastest kind needs."""
    from mmengine.runner import Runner

    rates = {}
    for workers in WORKERS:
        settings = dict(cfg.train_dataloader, num_workers=workers, persistent_workers=False)
        loader = Runner.build_dataloader(settings, seed=0)
        start, slices = time.perf_counter(), 0
        for number, batch in enumerate(loader):
            if number == 0:
                start = time.perf_counter()  # workers have started
                continue
            slices += len(batch['inputs'])
            if number == LOADER_BATCHES:
                break
        rates[workers] = slices / (time.perf_counter() - start)
    enough = [workers for workers, rate in rates.items() if rate >= needed]
    return dict(
        slices_per_s=rates[max(rates)],
        by_workers=rates,
        needed_slices_per_s=needed,
        workers_needed=min(enough) if enough else None,
    )


@contextmanager
def _utilisation(device: str) -> Iterator[list[float]]:
    """Sample how busy the first GPU is during the block, in percent; nothing without nvidia-smi."""
    used: list[float] = []
    program = shutil.which('nvidia-smi') if device == 'cuda' else None
    if program is None:
        yield used
        return
    query = ['--query-gpu=utilization.gpu', '--format=csv,noheader,nounits', f'-lms={EVERY_MS}']
    with subprocess.Popen([program, '-i', '0', *query], stdout=subprocess.PIPE, text=True) as meter:
        yield used
        meter.terminate()
        lines = meter.stdout.read().split() if meter.stdout else []
        used += [float(line) for line in lines if line.isdigit()]


def _table(results: dict[str, dict[str, Any]]) -> Table:
    table = Table('part', 'what was found', title='GPU check')
    for name, part in results.items():
        said = part.get('error') or ', '.join(
            f'{key} {_short(value)}' for key, value in part.items() if key not in ('passed',)
        )
        mark = '' if 'passed' not in part else ' passed' if part['passed'] else ' FAILED'
        table.add_row(name + mark, said)
    return table


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f'{value:.4g}'
    if isinstance(value, dict):
        return '(' + ', '.join(f'{key} {_short(v)}' for key, v in value.items()) + ')'
    return str(value)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__)
    parser.add_argument('--out', type=Path, help='JSON file for all figures')
    parser.add_argument('--side', type=int, default=224, help='size of the slices that are timed')
    parser.add_argument('--steps', type=int, default=20, help='timed rounds of each setting')
    parser.add_argument('--no-compile', action='store_true', help='leave torch.compile out')
    parser.add_argument('--without-gpu', action='store_true', help='check the CPU half')
    return parser


if __name__ == '__main__':
    main()
