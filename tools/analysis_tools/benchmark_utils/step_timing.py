"""Training steps on the clock: the toolkit's own, and a bare PyTorch loop of the same network."""

import copy
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from mmengine import Config
from mmengine.registry import LOOPS, OPTIMIZERS
from mmengine.runner import EpochBasedTrainLoop
from stopwatch import Stopwatch, now
from torch import nn

from xaicovid_mm.registry import RUNNERS

PARTS = ('data', 'weak forward', 'saliency', 'calibration', 'forward', 'backward', 'step', 'other')


@LOOPS.register_module()
class ReadyLoop(EpochBasedTrainLoop):
    """Bring a runner to its first iteration and stop there."""

    def run(self) -> nn.Module:
        """Call the hooks that come before the first iteration."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        return self.runner.model


class ToolkitStep:
    """The training step of a config with its hooks, one call at a time."""

    def __init__(self, cfg: Config) -> None:
        """Build the runner of ``cfg`` and put its parts on the clock."""
        self._folder = tempfile.TemporaryDirectory()  # gone with this object
        cfg = _ready(cfg)
        # mmengine names runs by the second, and runs of one name share what they write to
        cfg.update(work_dir=self._folder.name, experiment_name=Path(self._folder.name).name)
        self.runner = RUNNERS.get(cfg.runner_type).from_cfg(cfg)
        self.runner.train()
        self.loop, self.watch, self._taken = self.runner.train_loop, Stopwatch(), 0
        self._batches = itertools.chain.from_iterable(itertools.repeat(self.loop.dataloader))
        self.watch.watch(self.runner.model, 'loss', 'forward')
        self.watch.watch(self.runner.optim_wrapper, 'backward', 'backward')
        for method in ('step', 'zero_grad'):
            self.watch.watch(self.runner.optim_wrapper, method, 'step')
        for hook in self.runner.hooks:
            if labeler := getattr(hook, 'labeler', None):
                self.watch.watch(labeler, 'saliency', 'saliency')
                self.watch.watch(labeler, 'fuse', 'calibration')
                self.watch.watch(hook, 'labeler', 'weak forward')

    def draw(self) -> dict:
        """The next batch, read in this process."""
        with self.watch.part('data'):
            return next(self._batches)

    def step(self, batch: dict) -> None:
        """One iteration of the runner, hooks included."""
        with self.watch.part('other'):
            self.loop.run_iter(self._taken, batch)  # the logger looks at the number
        self._taken += 1


class BareStep:
    """Forward, losses, backward, step: plain PyTorch on a copy of the network."""

    def __init__(self, step: ToolkitStep, cfg: Config) -> None:
        """Copy the network of ``step``, before it is put to work."""
        self.model = copy.deepcopy(step.runner.model)
        vars(self.model).pop('loss', None)  # a copy of the other's stopwatch
        settings = dict(cfg.optim_wrapper.optimizer, params=self.model.parameters())
        self.optimizer = OPTIMIZERS.build(settings)

    def step(self, batch: dict) -> None:
        """One step on labelled slices."""
        model, samples = self.model, batch['data_samples']
        images = torch.stack(batch['inputs'])
        labels = torch.stack([s.label for s in samples])
        masks = torch.stack([s.infection for s in samples]).float()
        feats = model.backbone(images)
        class_loss = model.cls_head.loss(feats, labels)['ce']
        class_loss = class_loss + model.cls_head.loss_cam(feats, labels)
        loss = model.loss_weights['beta'] * class_loss
        logits = model.segment(feats, images.shape[-2:])
        loss = loss + model.loss_weights['gamma'] * model.mask_loss(logits, masks)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def time_steps(cfg: Config, steps: int, warmup: int) -> dict[str, Any]:
    """Time bare, supervised and semi-supervised steps of the same number of slices in turn.

    The three take turns round by round, so that whatever else the machine does meets all alike.
    The semi-supervised step pays for the saliency of every unlabelled slice: all give evidence.

    Returns:
        By kind of step: 'ms' (median), 'parts' (median ms) and 'slices_per_s'; 'ratios' (medians
        over the rounds) of supervised to bare and of semi-supervised to supervised.
    """
    supervised = ToolkitStep(supervised_of(cfg))
    bare = BareStep(supervised, cfg)
    semi = ToolkitStep(cfg) if cfg.default_hooks.get('pseudo_label') else None
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(warmup + steps):
        batch, laps = supervised.draw(), {}
        turns: dict[str, tuple[Callable, dict]] = {
            'bare': (bare.step, batch),
            'supervised': (supervised.step, dict(batch)),
        }
        if semi:
            turns['semi'] = (semi.step, semi.draw())
        for kind in sorted(turns, reverse=bool(number % 2)):
            step, data = turns[kind]
            start = now()
            step(data)
            laps[kind] = {'total': now() - start}
        laps['supervised'].update(supervised.watch.lap())
        if semi:
            laps['semi'].update(semi.watch.lap())
        rounds.append(laps)
    return _summary(rounds[warmup:], cfg.train_dataloader.batch_size)


def _summary(rounds: list[dict], slices: int) -> dict[str, Any]:
    def ratio(kind: str, to: str) -> float:
        return median(r[kind]['total'] / r[to]['total'] for r in rounds)

    found: dict[str, Any] = {'slices': slices, 'rounds': len(rounds)}
    for kind in rounds[0]:
        ms = median(r[kind]['total'] for r in rounds) * 1e3
        parts = {
            p: median(r[kind].get(p, 0.0) for r in rounds) * 1e3 for p in PARTS if kind != 'bare'
        }
        found[kind] = dict(ms=ms, slices_per_s=slices / ms * 1e3, parts=parts)
    found['ratios'] = {'supervised / bare': ratio('supervised', 'bare')}
    if 'semi' in rounds[0]:
        found['ratios']['semi / supervised'] = ratio('semi', 'supervised')
    return found


def supervised_of(cfg: Config) -> Config:
    """The supervised step of a semi-supervised config, at the same number of slices."""
    cfg = copy.deepcopy(cfg)
    loader = cfg.train_dataloader
    loader.sampler = dict(type='TwoStreamSampler', labelled_per_batch=loader.batch_size)
    loader.dataset.roles = ['labelled']
    steps = [step for step in loader.dataset.pipeline if step.type != 'StrongView']
    loader.dataset.pipeline = [
        {k: v for k, v in step.items() if k != 'two_views'} for step in steps
    ]
    for hook in ('pseudo_label', 'pseudo_label_monitor'):
        cfg.default_hooks.pop(hook, None)
    return cfg


def _ready(cfg: Config) -> Config:
    """The config with everything on from the first step and nothing but steps to do."""
    cfg = copy.deepcopy(cfg)
    cfg.update(launcher='none', log_level='ERROR', load_from=cfg.get('load_from'))
    cfg.train_cfg.type = 'ReadyLoop'
    for part in ('dataloader', 'cfg', 'evaluator'):
        cfg.update({f'val_{part}': None, f'test_{part}': None})
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.default_hooks.update(checkpoint=None)
    cfg.default_hooks.pop('pseudo_label_audit', None)
    if start := cfg.default_hooks.get('cam_loss_start'):
        start.begin = 0
    if label := cfg.default_hooks.get('pseudo_label'):
        label.update(start_epoch=0, start_when=None)
        label.labeler.evidence_from = 'none'
    return cfg
