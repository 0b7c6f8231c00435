"""Estimate the cost of runs on GPUs, and write slurm jobs for them."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine import Config
from mmengine.registry import init_default_scope
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

from ..data_prep.store.reader import SliceStore
from ..engine.config import load_config
from ..registry import MODELS
from ..utils.files import write_text
from .fingerprint import environment
from .runs import Run

PASSES = 3
"""Cost of a training step in forward passes: one forward, and a backward that counts two."""
LABELLING = 1.6
"""Factor by which pseudo labels lengthen a step, measured on the CPU."""
BYTES = 12
"""Bytes on the disk per parameter: the weight and both moments of Adam, 4 bytes each."""


def expected_hours(runs: Sequence[Run], tflops: float) -> tuple[float, bool]:
    """Return the hours of runs one after the other, and whether all are measured.

    A system takes as long as its runs that are done took on average. A system without one takes
    what ``cost_of`` estimates.

    Args:
        runs: All runs, done or not; those that are done cost nothing more.
        tflops: See ``cost_of``.
    """
    hours, measured = 0.0, True
    for name in dict.fromkeys(run.name for run in runs):
        own = [run for run in runs if run.name == name]
        missing = [run for run in own if not run.is_done()]
        seconds = [run.seconds() for run in own if run not in missing]
        if seconds:
            hours += len(missing) * sum(seconds) / len(seconds) / 3600
        elif missing:
            hours += len(missing) * cost_of(missing[0], tflops).hours
            measured = False
    return hours, measured


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one run.

    Attributes:
        parameters: Trained parameters in millions.
        steps: Training steps.
        hours: Hours on one GPU.
        gigabytes: Size of the checkpoints that are kept, in GB.
    """

    parameters: float
    steps: int
    hours: float
    gigabytes: float


def cost_of(run: Run, tflops: float) -> Cost:
    """Estimate the cost of a run from the operations of its network; nothing is trained.

    Args:
        run: The run.
        tflops: Sustained speed of a GPU in 1e12 operations per second. An assumption, not a
            measurement.
    """
    cfg, model = _build(run)
    store = SliceStore(run.setting.store)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    with counter:
        model.eval()(torch.zeros(1, 1, *store.size))
    loader = cfg.train_dataloader
    steps = run.epochs * _batches(cfg, store, run.setting.training_split)
    labels = LABELLING if cfg.default_hooks.get('pseudo_label') else 1
    flops = steps * loader.batch_size * counter.get_total_flops() * PASSES * labels
    count = _parameter_count(model)
    kept = cfg.default_hooks.checkpoint.max_keep + 1
    return Cost(
        parameters=count / 1e6,
        steps=steps,
        hours=flops / tflops / 3.6e15,
        gigabytes=kept * BYTES * count / 1e9,
    )


class _NoModules(ModuleTracker):
    """A tracker without hooks, which break a network that takes a gradient inside (MultiMix)."""

    def __enter__(self) -> '_NoModules':
        return self

    def __exit__(self, *args: object) -> None:
        return None


def parameters_of(run: Run) -> int:
    """Return the number of trained parameters."""
    return _parameter_count(_build(run)[1])


def _build(run: Run) -> tuple[Config, nn.Module]:
    with environment(run.setting.variables):
        cfg = load_config(run.config)
    init_default_scope('xaicovid_mm')
    return cfg, MODELS.build(cfg.model)


def _parameter_count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _batches(cfg: Config, store: SliceStore, split: str) -> int:
    """Return the batches of an epoch, counted as ``TwoStreamSampler`` does."""
    sampler = cfg.train_dataloader.sampler
    if sampler.get('batches_per_epoch'):
        return int(sampler.batches_per_epoch)
    stream = 'unlabelled' if sampler.get('unlabelled_per_batch') else 'labelled'
    rows, size = len(store.rows(split, stream)), sampler[f'{stream}_per_batch']
    return math.ceil(rows / size)


def cost_table(runs: Sequence[Run], *, tflops: float, gpus: int) -> Table:
    """Return the cost of each system, and of all runs in the caption.

    Args:
        runs: All runs.
        tflops: Sustained speed of a GPU, see ``cost_of``.
        gpus: GPUs that work side by side.
    """
    table = Table('system', 'seeds', 'million parameters', 'steps', 'GPU hours', 'GB', title='plan')
    hours = gigabytes = 0.0
    for name in dict.fromkeys(run.name for run in runs):
        of_system = [run for run in runs if run.name == name]
        cost = cost_of(of_system[0], tflops)
        cells = (f'{cost.parameters:.1f}', str(cost.steps), f'{cost.hours:.2f}')
        table.add_row(name, str(len(of_system)), *cells, f'{cost.gigabytes:.1f}')
        hours += cost.hours * len(of_system)
        gigabytes += cost.gigabytes * len(of_system)
    table.caption = (
        f'{len(runs)} runs: {hours:.0f} GPU hours, {hours / gpus:.0f} on {gpus} GPUs side by side, '
        f'{gigabytes:.0f} GB. Hours and GB are of one run, hours at {tflops:g} TFLOP/s sustained, '
        'which is an assumption (--tflops); operations are counted.'
    )
    return table


def write_jobs(runs: Sequence[Run], *, out: Path, gpus: int) -> Path:
    """Write a slurm array job with one task per run.

    Args:
        runs: The runs.
        out: Folder for ``jobs.sbatch`` and the list of runs ``jobs.txt``.
        gpus: Tasks that run at a time.

    Returns:
        The script, for ``sbatch``.
    """
    setting = runs[0].setting
    lines = [f'{r.name} {r.seed} {r.setting.split} {r.setting.budget or "all"}' for r in runs]
    write_text(out / 'jobs.txt', '\n'.join(lines) + '\n')
    shared = dict(scale=setting.scale, recipe=setting.recipe, role=setting.role)
    options = [part for name, value in shared.items() for part in (f'--{name}', value)]
    where = ('--store', str(setting.store), '--work-dir', str(setting.root))
    command = shlex.join(('tools/reproduce.py', *options, *where))
    jobs = shlex.quote(str((out / 'jobs.txt').resolve()))
    script = f"""\
#!/usr/bin/env bash
#SBATCH --job-name=xaicovid_mm
#SBATCH --array=1-{len(runs)}%{gpus}
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --output={out.resolve()}/slurm_%a.txt
set -euo pipefail
cd {shlex.quote(str(setting.project))}
read -r ROW SEED SPLIT BUDGET < <(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {jobs})
srun "${{PYTHON:-python}}" {command} --rows "$ROW" --only-seed "$SEED" \\
    --split "$SPLIT" --budget "$BUDGET"
"""
    write_text(out / 'jobs.sbatch', script)
    return out / 'jobs.sbatch'
