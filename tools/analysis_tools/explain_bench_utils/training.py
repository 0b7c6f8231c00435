"""Train a config on a phantom, shortened, and load what it learned."""

import os
from pathlib import Path
from typing import Any

from mmengine import Config

from xaicovid_mm.apis import init_model
from xaicovid_mm.engine.checkpoint import find_latest
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.engine.launch import launched
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.registry import RUNNERS

EPOCH_KEYS = ('T_max', 'start_epoch', 'begin', 'interval', 'epoch')
"""Settings of schedulers and hooks that count epochs."""
AUDITS = ('pseudo_label_audit', 'pseudo_label_monitor')


def trained(
    config: str, phantom: Path, work_dir: Path, *, options: dict[str, Any], epochs: int | None
) -> MultiTaskModel:
    """Train, or go on where an interrupted training stopped, and return the network.

    Args:
        config: A file below configs/ that reads ``XAICOVID_STORE``.
        phantom: Folder of ``make_phantom``.
        work_dir: Of the run.
        options: As ``--cfg-options``.
        epochs: Fewer than the config's; all that counts epochs is shortened alike.
    """
    os.environ |= dict(XAICOVID_STORE=str(phantom / 'store'), XAICOVID_SPLIT='default')
    cfg = load_config(config, options)
    if epochs:
        shorten(cfg, epochs)
    cfg.work_dir, cfg.log_level = str(work_dir), 'WARNING'
    cfg.train_cfg.val_interval = cfg.train_cfg.max_epochs
    for name in AUDITS:  # they measure what the bench does not ask for
        cfg.default_hooks[name] = None
    last = find_latest(work_dir) if work_dir.is_dir() else None
    if last is None or last.stem != f'epoch_{cfg.train_cfg.max_epochs}':
        cfg.resume = last is not None
        with launched(cfg, 'none'):
            RUNNERS.get(cfg.get('runner_type', 'CTRunner')).from_cfg(cfg).train()
        last = find_latest(work_dir)
    return init_model(cfg, last)


def shorten(cfg: Config, epochs: int) -> None:
    """Give a config another number of epochs; what counts epochs keeps its share, at least 1."""
    share = epochs / cfg.train_cfg.max_epochs
    cfg.train_cfg.max_epochs = epochs
    hooks = [cfg.default_hooks[name] for name in cfg.default_hooks if name != 'checkpoint']
    for part in [*cfg.param_scheduler, *[h for h in hooks if h and h.type != 'LoggerHook']]:
        for key in EPOCH_KEYS:
            if isinstance(part.get(key), int):
                part[key] = max(round(part[key] * share), 1)
        if 'milestones' in part:
            part.milestones = [max(round(m * share), 1) for m in part.milestones]
