"""What a checkpoint holds of a run, and how a run goes on with it."""

import platform
from collections.abc import Mapping
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.optim import _ParamScheduler
from mmengine.runner import Runner

from ..utils.errors import CheckpointError
from ..utils.model import unwrap_model


def training_state(runner: Runner, optimizer: bool, schedulers: bool) -> dict[str, Any]:
    """Return weights, message hub, optimizer and schedulers of a run, as plain data.

    Args:
        runner: The run.
        optimizer: Include the optimizer.
        schedulers: Include the schedulers, if there are any.
    """
    hub = runner.message_hub.state_dict()
    for part in ('runtime_info', 'resumed_keys'):  # the config's text stays out
        hub[part] = {k: v for k, v in hub[part].items() if k != 'cfg'}
    state = dict(state_dict=unwrap_model(runner.model).state_dict(), message_hub=hub)
    if optimizer:
        state['optimizer'] = runner.optim_wrapper.state_dict()
    if schedulers and runner.param_schedulers is not None:
        state['param_schedulers'] = [_settings(s) for s in _flat(runner.param_schedulers)]
    return state


def run_facts(runner: Runner) -> dict[str, Any]:
    """Return what a checkpoint says about its run: seed, name, versions and classes."""
    versions = dict(
        python=platform.python_version(),
        torch=str(torch.__version__),
        numpy=np.__version__,
        mmengine=mmengine.__version__,
    )
    return dict(
        seed=runner.seed,
        experiment_name=runner.experiment_name,
        versions=versions,
        dataset_meta=getattr(runner.train_dataloader.dataset, 'metainfo', None),
    )


def need_training_state(checkpoint: Mapping[str, Any], filename: str, optimizer: bool) -> None:
    """Refuse to resume a file that holds weights alone.

    Raises:
        CheckpointError: Naming what is not there, such as the optimizer where it is asked for.
    """
    needed = {'meta', 'message_hub', 'random_states'} | ({'optimizer'} if optimizer else set())
    if missing := needed - checkpoint.keys():
        raise CheckpointError(
            f'{filename} has no {sorted(missing)}: it holds weights, not a run. Start from '
            'them with load_from=PATH and without resume'
        )


def take_over(
    runner: Runner, checkpoint: Mapping[str, Any], optimizer: bool, schedulers: bool
) -> None:
    """Let a run go on where a checkpoint was written; weights and random states are not touched.

    Args:
        runner: The run. Its optimizer and schedulers are built here.
        checkpoint: Of `training_state` and `run_facts`. It may lack or distort anything: what
            rises then is of any kind.
        optimizer: Load the optimizer.
        schedulers: Load the schedulers, if the checkpoint has them.

    Raises:
        CheckpointError: If epoch and iteration cannot be.
    """
    meta = checkpoint['meta']
    epoch, iteration = int(meta['epoch']), int(meta['iter'])
    if min(epoch, iteration) < 0 or (epoch and not iteration):
        raise CheckpointError(f'epoch {epoch}, iteration {iteration} is no place in a training')
    if epoch >= runner.max_epochs:
        runner.logger.warning(
            f'the checkpoint is of epoch {epoch}, the config has max_epochs={runner.max_epochs}: '
            'nothing is left to train. To go on, set train_cfg.max_epochs higher'
        )
    runner.train_loop._epoch, runner.train_loop._iter = epoch, iteration
    if meta['seed'] != runner.seed:
        runner.logger.warning(
            f'the checkpoint was trained with seed {meta["seed"]}, this run has {runner.seed}: '
            f'samples come in another order. For the same run set randomness.seed={meta["seed"]}'
        )
    runner.message_hub.load_state_dict(checkpoint['message_hub'])
    if optimizer:
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.optim_wrapper.load_state_dict(checkpoint['optimizer'])
    if schedulers and 'param_schedulers' in checkpoint:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers or [])
        states = checkpoint['param_schedulers']
        for scheduler, state in zip(_flat(runner.param_schedulers), states, strict=True):
            scheduler.load_state_dict(state)


def _flat(schedulers: list | dict[str, list]) -> list:
    """Schedulers (or their states) as one list; several optimizers have a dict of lists."""
    return sum(schedulers.values(), []) if isinstance(schedulers, dict) else list(schedulers)


def _settings(scheduler: _ParamScheduler) -> dict:
    """A scheduler's state without its functions, which its constructor sets."""
    return {k: v for k, v in scheduler.state_dict().items() if not callable(v)}
