"""A training run of a second in which everything is random, and ways to kill it."""

import importlib
import itertools
import multiprocessing
import os
import signal
import time
from pathlib import Path

import mmengine.runner.runner as mmengine_runner
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.checkpoint import read_checkpoint
from xaicovid_mm.engine.plain_data import to_plain
from xaicovid_mm.registry import DATASETS, HOOKS, METRICS, MODELS
from xaicovid_mm.structures import CTSample
from xaicovid_mm.utils import files

LAST = 'epoch_4.pth'

# Children are forks: what is slow to import is imported here, once.
mmengine_runner.collect_env = dict  # it calls compilers, for seconds
importlib.import_module('torch._dynamo')
for registry in (DATASETS, HOOKS, METRICS, MODELS):
    registry.import_from_location()
_runs = itertools.count()


@DATASETS.register_module()
class ToySet(torch.utils.data.Dataset):
    metainfo = {'classes': ('a', 'b')}

    def __len__(self):
        return 8

    def __getitem__(self, index):
        # as in our samplers' draws, a sample's randomness hangs on nothing but its number
        noise = np.random.default_rng(index).normal(size=4)
        sample = CTSample(metainfo=dict(sample_id=f'case/{index}', is_labelled=index < 4))
        return dict(inputs=torch.tensor(noise, dtype=torch.float32), data_samples=sample)


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        layers = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)
        self.net = nn.Sequential(*layers)
        self.noise = 0.1

    def forward(self, inputs, data_samples=None, mode='tensor'):
        inputs = torch.stack(inputs) if isinstance(inputs, list) else inputs
        jitter = np.random.normal(size=inputs.shape) * self.noise * (1 + get_rank())
        out = self.net(inputs + torch.as_tensor(jitter, dtype=inputs.dtype))
        return dict(loss_toy=(out - 1).square().mean()) if mode == 'loss' else [out]


@METRICS.register_module()
class ToyMetric(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results.append(float(data_samples[0].mean()))

    def compute_metrics(self, results):
        return dict(score=float(np.mean(results)))


@HOOKS.register_module()
class ToyStartHook(Hook):
    """Like the start of the pseudo labels: set once by validation, changes training for good."""

    def before_train(self, runner):
        np.random.normal()  # a resumed run must not notice

    def after_val_epoch(self, runner, metrics=None):
        if runner.epoch == 2:
            runner.message_hub.update_info('pseudo_label_active', True)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        active = runner.message_hub.get_info('pseudo_label_active', False)
        getattr(runner.model, 'module', runner.model).noise = 1.0 if active else 0.1


@HOOKS.register_module()
class ToyKillHook(Hook):
    """Die by SIGKILL at the n-th iteration or validation step of this process."""

    def __init__(self, event, count):
        self.event, self.count = event, count

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._tick('iteration')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._tick('validation')

    def _tick(self, event):
        self.count -= event == self.event
        if self.count == 0:
            kill_me()


def build_toy(work_dir, *, hooks=(), checkpoint=None, workers=0, **overrides) -> CTRunner:
    def loader(shuffle):
        return dict(
            dataset=dict(type='ToySet'),
            batch_size=2,
            num_workers=workers,
            persistent_workers=workers > 0 and shuffle,
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
        )

    cfg = dict(
        default_scope='xaicovid_mm',
        work_dir=str(work_dir),
        model=dict(type='ToyModel'),
        train_dataloader=loader(True),
        val_dataloader=loader(False),
        val_evaluator=dict(type='ToyMetric'),
        train_cfg=dict(by_epoch=True, max_epochs=4),
        val_cfg=dict(),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.05)),
        param_scheduler=[
            dict(type='MultiStepLR', milestones=[1, 3], gamma=0.5),
            dict(type='OneCycleLR', eta_max=0.1, total_steps=64, by_epoch=False),
        ],
        default_hooks=dict(
            checkpoint=checkpoint
            or dict(type='SafeCheckpointHook', max_keep=1, save_best='toy/score'),
            finite_loss=dict(type='FiniteLossHook'),
        ),
        custom_hooks=[dict(type='ToyStartHook'), dict(type='SyncBuffersHook'), *hooks],
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        randomness=dict(seed=3),
        log_level='WARNING',
        experiment_name=f'toy{next(_runs)}',  # names the message hub of this process
    )
    return CTRunner.from_cfg(Config({**cfg, **overrides}))


def train(work_dir, kill=None, **kwargs) -> None:
    """Train; ``kill`` = (event, count) ends it by SIGKILL."""
    event, count = kill or ('never', 0)
    if event in ('iteration', 'validation'):
        kwargs['hooks'] = [dict(type='ToyKillHook', event=event, count=count)]
    else:
        kill_in_write(event, count)
    build_toy(work_dir, **kwargs).train()


def kill_me():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_in_write(event, count) -> None:
    """Die at the ``count``-th step of its kind while checkpoints are written in this process."""
    steps = [count]

    def dying(function, before):
        def call(*args, **kwargs):
            steps[0] -= 1
            if before and steps[0] == 0:
                kill_me()
            result = function(*args, **kwargs)
            if steps[0] == 0:
                kill_me()
            return result

        return call

    class HalfFile:
        """Writes half and dies, at the ``count``-th file."""

        def __init__(self, path, mode):
            self.file = open(path, mode)
            self.fileno, self.flush = self.file.fileno, self.file.flush

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, content):
            steps[0] -= 1
            if steps[0] == 0:
                self.file.write(content[: len(content) // 2])
                self.file.flush()
                kill_me()
            return self.file.write(content)

    if event == 'half':
        files.open = lambda path, mode: (HalfFile if 'w' in mode else open)(path, mode)
    elif event in ('fsync', 'replace'):
        setattr(os, event, dying(getattr(os, event), before=True))
    elif event == 'replaced':
        os.replace = dying(os.replace, before=False)
    elif event == 'unlink':
        Path.unlink = dying(Path.unlink, before=True)


def in_child(function, *args, **kwargs) -> int:
    """Run ``function`` in a process of its own and return its exit code."""
    return _finish([_FORK.Process(target=function, args=args, kwargs=kwargs)])[0]


def in_ranks(function, store, *args, **kwargs) -> list[int]:
    """Run ``function`` in two processes of one gloo group and return their exit codes."""

    def rank_main(rank):
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{store}', rank=rank, world_size=2
        )
        function(*args, **kwargs)

    return _finish([_FORK.Process(target=rank_main, args=(rank,)) for rank in range(2)])


_FORK = multiprocessing.get_context('fork')


def _finish(processes, seconds=60) -> list[int]:
    """Exit codes; by polling, as join() would wait for the loader workers of a killed process."""
    for process in processes:
        process.start()
    end = time.monotonic() + seconds
    while any(process.exitcode is None for process in processes):
        if time.monotonic() > end:
            for process in processes:
                process.kill()
            raise TimeoutError(f'still running after {seconds} s')
        time.sleep(0.01)
    return [process.exitcode for process in processes]


def warnings_of(work_dir) -> str:
    """All text logs of a work dir."""
    return '\n'.join(path.read_text() for path in Path(work_dir).glob('*/*.log'))


def settled_state(work_dir, name=LAST) -> dict[str, object]:
    """All that a checkpoint holds as {path: value}, but for clock times and names.

    Names are the run's, and the commit of the working tree, which mmengine adds to its version.
    """

    def walk(value, where):
        if isinstance(value, dict):
            pairs = value.items()
        elif isinstance(value, list | tuple):
            pairs = enumerate(value)
        else:
            yield where, value.tolist() if isinstance(value, torch.Tensor) else value
            return
        for key, item in pairs:
            if key not in ('time', 'data_time', 'eta', 'experiment_name', 'mmengine_version'):
                yield from walk(item, f'{where}/{str(key).replace("/", ".")}')

    state = to_plain(read_checkpoint(Path(work_dir, name)))
    return {k: v for k, v in walk(state, '') if 'time/' not in k and not k.endswith('time')}


def differing(one, other) -> list[str]:
    """Paths at which two settled states are not the same to the bit."""
    return [k for k in one.keys() | other.keys() if one.get(k, '?') != other.get(k, '?')]
