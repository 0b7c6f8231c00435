"""Train a model from a config.

python tools/train.py configs/quick/recommended_semi.py
python tools/train.py configs/semi_vgg.py --resume --cfg-options randomness.seed=1
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.errors import user_errors
from .options import add_cfg_options, add_device, use_device
from .parser import CommandParser
from .paths import checkpoint_file, new_work_dir, output_folder

if TYPE_CHECKING:
    from mmengine import Config

    from ..engine import CTRunner

TOOL = 'tools/train.py'
CURVES = 'curves.png'
"""Picture in the work dir."""


def main(argv: Sequence[str] | None = None, prog: str = TOOL) -> None:
    args = _parser(prog).parse_args(argv)
    with user_errors(f'training {args.config}', lambda: _advice(_work_dir(args))):
        use_device(args.device)
        _train(args)


def _train(args: argparse.Namespace) -> None:
    from mmengine.dist import is_main_process

    from ..engine.config import argument_errors
    from ..engine.launch import launched, leave_process, worker_errors
    from ..registry import RUNNERS

    cfg = _config(args)
    runner = None
    with (
        new_work_dir(cfg.work_dir, lambda: runner is not None and _has_begun(runner)),
        argument_errors(cfg),
        worker_errors(),
        launched(cfg, args.launcher),
    ):
        runner = RUNNERS.get(cfg.get('runner_type', 'CTRunner')).from_cfg(cfg)
        runner.train()
        if is_main_process():
            _draw(runner)
    leave_process(args.launcher)


def _has_begun(runner: 'CTRunner') -> bool:
    """Whether there was a step; ``runner.iter`` would build the data loader to tell."""
    return runner.message_hub.get_info('iter', 0) > 0


def _draw(runner: 'CTRunner') -> None:
    from ..datasets.slice_dataset import SliceDataset
    from ..reproduction.training_log import training_curves
    from ..visualization.training_curves import draw_training_curves

    dataset = runner.train_dataloader.dataset
    is_phantom = isinstance(dataset, SliceDataset) and dataset.store.is_phantom
    patients = 'phantom patients' if is_phantom else 'patients'
    path = Path(runner.work_dir, CURVES)
    draw_training_curves(path, *training_curves(runner.work_dir), patients)
    runner.logger.info(f'curves: {path}')


def _config(args: argparse.Namespace) -> 'Config':
    from ..engine.checkpoint import read_checkpoint
    from ..engine.config import load_config
    from .stores import check_stores

    cfg = load_config(args.config, args.cfg_options)
    check_stores(cfg, 'train_dataloader', 'val_dataloader')
    cfg.work_dir = str(output_folder(_work_dir(args, cfg), '--work-dir'))
    cfg.allow_changes = args.allow_changes
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if cfg.get('load_from'):
        read_checkpoint(checkpoint_file(cfg.load_from))  # before a log begins
    if args.amp:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr', {}).get('base_batch_size'):
            raise ValueError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
        cfg.auto_scale_lr.enable = True
    if args.tensorboard:
        cfg.visualizer.vis_backends.append(dict(type='TensorboardVisBackend'))
    return cfg


def _work_dir(args: argparse.Namespace, cfg: 'Config | None' = None) -> str:
    named = args.work_dir or (args.cfg_options or {}).get('work_dir') or (cfg or {}).get('work_dir')
    return named or f'work_dirs/{_run_name(Path(args.config))}'


def _run_name(config: Path) -> str:
    """``quick_semi_vgg`` for ``configs/quick/semi_vgg.py``, so that no two configs share a name."""
    parts = config.with_suffix('').parts
    below = max((n for n, part in enumerate(parts) if part == 'configs'), default=len(parts) - 2)
    return '_'.join(parts[below + 1 :])


def _advice(work_dir: str) -> str:
    """What to do after a run was stopped."""
    from ..engine.checkpoint import epoch_checkpoints

    if epoch_checkpoints(Path(work_dir)):
        return (
            f'{work_dir} keeps its checkpoints; the same command with --resume goes on '
            '(make train needs no flag)'
        )
    return 'there is no checkpoint yet; start it again'


def _parser(prog: str = TOOL) -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, prog)
    parser.add_argument('config', help='a file below configs/')
    parser.add_argument(
        '--work-dir', help='default: work_dirs/quick_semi_vgg for configs/quick/semi_vgg.py'
    )
    parser.add_argument('--resume', nargs='?', const='auto', help='newest checkpoint, or a path')
    parser.add_argument(
        '--allow-changes',
        action='store_true',
        help='resume although the store, the split or the code is not that of the run',
    )
    parser.add_argument('--amp', action='store_true', help='bfloat16 where the device has it')
    parser.add_argument('--auto-scale-lr', action='store_true', help='by the total batch size')
    parser.add_argument(
        '--tensorboard',
        action='store_true',
        help="write curves for TensorBoard too (pip install '.[tensorboard]')",
    )
    add_device(parser)
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='for torchrun')
    return parser
