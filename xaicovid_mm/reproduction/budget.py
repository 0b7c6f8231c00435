"""What the runs will cost on GPUs, and jobs for them."""

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
from .runs import Run, Setting

PASSES = 3
"""Forward passes that a training step is worth: one forward, two backward."""
LABELLING = 1.6
"""What pseudo labels make of a step; measured on the CPU, see docs/results.md."""
BYTES = 12
"""On the disk per parameter: weight and both moments of Adam, 4 bytes each."""


@dataclass(frozen=True)
class Cost:
    """Of one run: millions of parameters, steps, hours on one GPU, gigabytes of checkpoints."""

    parameters: float
    steps: int
    hours: float
    gigabytes: float


def cost_of(run: Run, tflops: float) -> Cost:
    """Count operations and parameters; nothing is trained.

    Args:
        run: The run.
        tflops: What a GPU sustains, 1e12 operations a second: an assumption, not a measurement.
    """
    cfg, model = _built(run)
    store = SliceStore(run.setting.store)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    with counter:
        model.eval()(torch.zeros(1, 1, *store.size))
    loader = cfg.train_dataloader
    steps = run.epochs * _batches(cfg, store, run.setting.split)
    labels = LABELLING if cfg.default_hooks.get('pseudo_label') else 1
    flops = steps * loader.batch_size * counter.get_total_flops() * PASSES * labels
    count = _count(model)
    kept = cfg.default_hooks.checkpoint.max_keep + 1
    return Cost(count / 1e6, steps, flops / tflops / 3.6e15, kept * BYTES * count / 1e9)


class _NoModules(ModuleTracker):
    """The sum alone: its hooks break a network that takes a gradient on its way (MultiMix)."""

    def __enter__(self) -> '_NoModules':
        return self

    def __exit__(self, *args: object) -> None:
        return None


def parameters_of(run: Run) -> int:
    """How many numbers the system learns."""
    return _count(_built(run)[1])


def _built(run: Run) -> tuple[Config, nn.Module]:
    with environment(run.setting.variables):
        cfg = load_config(run.config)
    init_default_scope('xaicovid_mm')
    return cfg, MODELS.build(cfg.model)


def _count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _batches(cfg: Config, store: SliceStore, split: str) -> int:
    """Batches of an epoch, as ``TwoStreamSampler`` has them."""
    sampler = cfg.train_dataloader.sampler
    if sampler.get('batches_per_epoch'):
        return int(sampler.batches_per_epoch)
    stream = 'unlabelled' if sampler.get('unlabelled_per_batch') else 'labelled'
    rows, size = len(store.rows(split, stream)), sampler[f'{stream}_per_batch']
    return math.ceil(rows / size)


def cost_table(runs: Sequence[Run], tflops: float, gpus: int) -> Table:
    """The plan: what each system costs, and all of them on so many GPUs."""
    table = Table('system', 'seeds', 'million parameters', 'steps', 'GPU hours', 'GB', title='plan')
    hours = gigabytes = 0.0
    for name in dict.fromkeys(run.name for run in runs):
        mine = [run for run in runs if run.name == name]
        cost = cost_of(mine[0], tflops)
        cells = (f'{cost.parameters:.1f}', str(cost.steps), f'{cost.hours:.2f}')
        table.add_row(name, str(len(mine)), *cells, f'{cost.gigabytes:.1f}')
        hours += cost.hours * len(mine)
        gigabytes += cost.gigabytes * len(mine)
    table.caption = (
        f'{len(runs)} runs: {hours:.0f} GPU hours, {hours / gpus:.0f} on {gpus} GPUs side by side, '
        f'{gigabytes:.0f} GB. Hours and GB are of one run, hours at {tflops:g} TFLOP/s sustained, '
        'which is an assumption (--tflops); operations are counted.'
    )
    return table


def write_jobs(runs: Sequence[Run], setting: Setting, out: Path, gpus: int) -> Path:
    """Write a slurm array job with a run a task, so many at a time.

    Returns:
        The script, for ``sbatch``.
    """
    names = [f'{run.name} {run.seed}' for run in runs]
    write_text(out / 'jobs.txt', '\n'.join(names) + '\n')
    where = ('--store', setting.store, '--split', setting.split, '--work-dir', setting.root)
    command = shlex.join(
        map(str, ('tools/reproduce.py', '--scale', setting.scale, '--role', setting.role, *where))
    )
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
read -r ROW SEED < <(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {jobs})
srun "${{PYTHON:-python}}" {command} --rows "$ROW" --only-seed "$SEED"
"""
    write_text(out / 'jobs.sbatch', script)
    return out / 'jobs.sbatch'
