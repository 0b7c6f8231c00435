"""Start of a distributed run where mmengine expects a GPU."""

import os

import torch
from mmengine import Config
from torch import distributed

_RANK_AND_SIZE = {
    'pytorch': ('RANK', 'WORLD_SIZE'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}


def prepare_launch(cfg: Config, launcher: str) -> None:
    """Set ``cfg`` up for a launcher; without a GPU, start the gloo process group right here.

    mmengine would call ``torch.cuda.set_device``. Its wrapper would also ask for device ids, and
    would broadcast buffers before each forward, of which our networks have none to share.

    Args:
        cfg: Config of the run, changed in place.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ValueError: If the launcher has not told this process its rank.
    """
    cfg.launcher = launcher
    if launcher == 'none' or torch.cuda.is_available():
        return
    if not distributed.is_initialized():
        rank, size = _RANK_AND_SIZE[launcher]
        if rank not in os.environ:
            raise ValueError(
                f'--launcher {launcher}, but {rank} is not set: start the run with '
                'tools/dist_train.sh, tools/slurm_train.sh or mpirun'
            )
        os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
        os.environ.setdefault('MASTER_PORT', '29500')
        distributed.init_process_group(
            'gloo', rank=int(os.environ[rank]), world_size=int(os.environ[size])
        )
    cfg.env_cfg.dist_cfg = dict(backend='gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False
    )
