"""Start and end of a distributed run, with or without GPUs."""

import atexit
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from mmengine import Config
from torch import distributed

from ..utils.errors import WorkerLostError

VARIABLES = {
    'pytorch': {'RANK': 'RANK', 'WORLD_SIZE': 'WORLD_SIZE', 'LOCAL_RANK': 'LOCAL_RANK'},
    'slurm': {
        'RANK': 'SLURM_PROCID',
        'WORLD_SIZE': 'SLURM_NTASKS',
        'LOCAL_RANK': 'SLURM_LOCALID',
    },
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
    },
}


PATIENCE = timedelta(hours=2)
"""How long a rank waits for the others: rank 0 tests, writes and draws while they do."""


class LaunchError(ValueError):
    """A launcher was named that did not start this process."""


@contextmanager
def launched(cfg: Config, launcher: str) -> Iterator[None]:
    """Run the body as one rank of a distributed run: set up before, leave together after.

    At the end each rank waits for the others and then takes the process group down. A rank that
    went ahead could abort itself, or the rank that still works. A rank that fails waits for
    nobody: its error passes on at once, it exits with a code that is not zero, and the connections
    that it closes (or the launcher) stop the others.

    Args:
        cfg: Config of the run, changed in place, see `prepare_launch`.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        LaunchError: As `prepare_launch` does.
    """
    prepare_launch(cfg, launcher)
    yield  # an error of the body rises here, so what follows is for success alone
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


@contextmanager
def worker_errors() -> Iterator[None]:
    """Turn the error of a data-loader worker that died into one that says what to do.

    Raises:
        WorkerLostError: Naming the process.
    """
    try:
        yield
    except RuntimeError as error:
        if 'DataLoader worker (pid' not in str(error):
            raise
        raise WorkerLostError(
            f'a data-loader worker was lost ({str(error).splitlines()[0].strip(". ")})',
            'most often memory runs out: lower train_dataloader.num_workers or the batch size',
        ) from error


def leave_process(launcher: str) -> None:
    """End this process at once, if it is a rank of a distributed run that went well.

    Threads of gloo outlive their process group (seen in torch 2.14). Now and then they abort an
    interpreter that is taken down around them, after all work is done.

    Args:
        launcher: As for `launched`; with 'none' nothing happens.
    """
    if launcher != 'none':
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def prepare_launch(cfg: Config, launcher: str) -> None:
    """Set ``cfg`` up for a launcher; without a GPU, start the gloo process group right here.

    mmengine would call ``torch.cuda.set_device``, and its wrapper would ask for device ids.
    Buffers need no broadcast before each forward: ``SyncBuffersHook`` makes them agree.

    Args:
        cfg: Config of the run, changed in place.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        LaunchError: If the launcher has not told this process its rank, or several machines do not
            know which of them is the first.
    """
    cfg.launcher = launcher
    _gather_without_files(cfg)
    if launcher == 'none':
        return
    _export_rank(launcher)
    if torch.cuda.is_available():
        dist_cfg = cfg.env_cfg.setdefault('dist_cfg', dict(backend='nccl'))
        dist_cfg.setdefault('timeout', PATIENCE.total_seconds())
        return
    if not distributed.is_initialized():
        distributed.init_process_group('gloo', timeout=PATIENCE)
    cfg.env_cfg.dist_cfg = dict(backend='gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
    )


def _gather_without_files(cfg: Config) -> None:
    """Let metrics send their results to rank 0 through the process group, whatever its device.

    mmengine's way for 'cpu' writes them to ``.dist_test`` in the folder where the run was started,
    and a run that is killed leaves them there.
    """
    for key in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(key) or []
        for metric in [metrics] if isinstance(metrics, dict) else metrics:
            if not metric.get('collect_dir'):
                metric.setdefault('collect_device', 'gpu')


def _export_rank(launcher: str) -> None:
    """Say in torchrun's variables what the launcher said in its own: mmengine reads them."""
    for ours, theirs in VARIABLES[launcher].items():
        if theirs not in os.environ:
            raise LaunchError(
                f'--launcher {launcher}, but {theirs} is not set: start the run with '
                'tools/dist_train.sh, tools/slurm_train.sh or mpirun'
            )
        os.environ[ours] = os.environ[theirs]
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_machine(launcher)
    os.environ.setdefault('MASTER_PORT', '29500')


def _first_machine(launcher: str) -> str:
    here = int(os.environ.get('OMPI_COMM_WORLD_LOCAL_SIZE', os.environ['WORLD_SIZE']))
    if launcher == 'slurm' and int(os.environ.get('SLURM_NNODES', '1')) > 1:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        names = subprocess.run(command, capture_output=True, text=True, check=True)
        return names.stdout.split()[0]
    if launcher == 'mpi' and here < int(os.environ['WORLD_SIZE']):
        raise LaunchError(
            f'{os.environ["WORLD_SIZE"]} processes, {here} of them here: set MASTER_ADDR to the '
            'first machine (mpirun -x MASTER_ADDR=...)'
        )
    return '127.0.0.1'
