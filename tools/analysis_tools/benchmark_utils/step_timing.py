"""Time training steps of the toolkit, and of a bare PyTorch loop with the same network."""

import copy
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmark_utils.stopwatch import Stopwatch, now
from mmengine import Config
from mmengine.registry import LOOPS, OPTIMIZERS
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from xaicovid_mm.registry import RUNNERS

PARTS = ('data', 'weak forward', 'saliency', 'calibration', 'forward', 'backward', 'step', 'other')


@LOOPS.register_module()
class ReadyLoop(EpochBasedTrainLoop):
    """A train loop that stops before the first iteration."""

    def run(self) -> nn.Module:
        """Call the hooks that run before the first iteration, and return the model."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        return self.runner.model


class ToolkitStep:
    """The training step of a config with its hooks, one step at a time."""

    def __init__(self, cfg: Config) -> None:
        """Build the runner of ``cfg`` and time its parts."""
        self._folder = tempfile.TemporaryDirectory()  # removed with this object
        cfg = _ready(cfg)
        # mmengine names runs by the second, and runs of one name share their outputs.
        cfg.update(work_dir=self._folder.name, experiment_name=Path(self._folder.name).name)
        self.runner = RUNNERS.get(cfg.runner_type).from_cfg(cfg)
        self.runner.train()
        self.loop, self.stopwatch, self._steps = self.runner.train_loop, Stopwatch(), 0
        self._batches = itertools.chain.from_iterable(itertools.repeat(self.loop.dataloader))
        self.stopwatch.watch(self.runner.model, 'loss', 'forward')
        self.stopwatch.watch(self.runner.optim_wrapper, 'backward', 'backward')
        for method in ('step', 'zero_grad'):
            self.stopwatch.watch(self.runner.optim_wrapper, method, 'step')
        for hook in self.runner.hooks:
            if labeler := getattr(hook, 'labeler', None):
                self.stopwatch.watch(labeler, 'saliency', 'saliency')
                self.stopwatch.watch(labeler, 'fuse', 'calibration')
                self.stopwatch.watch(hook, 'labeler', 'weak forward')

    def draw(self) -> dict:
        """Read the next batch in this process."""
        with self.stopwatch.part('data'):
            return next(self._batches)

    def step(self, batch: dict) -> None:
        """Run one iteration of the runner with its hooks."""
        with self.stopwatch.part('other'):
            self.loop.run_iter(self._steps, batch)  # the logger needs the number
        self._steps += 1


class BareStep:
    """A plain PyTorch training step on a copy of the network."""

    def __init__(self, step: ToolkitStep, cfg: Config) -> None:
        """Copy the network of ``step``; call this before its first step."""
        self.model = copy.deepcopy(step.runner.model)
        vars(self.model).pop('loss', None)  # the timed method of the original
        settings = dict(cfg.optim_wrapper.optimizer, params=self.model.parameters())
        self.optimizer = OPTIMIZERS.build(settings)

    def step(self, batch: dict) -> None:
        """Take one step on labelled slices."""
        model, samples = self.model, batch['data_samples']
        device = next(model.parameters()).device
        images = torch.stack(batch['inputs']).to(device)
        labels = torch.stack([s.label for s in samples]).to(device)
        masks = torch.stack([s.infection for s in samples]).to(device).float()
        feats = model.backbone(images)
        class_losses = model.cls_head.loss(feats, labels, masks, inside=images != 0)
        loss = model.loss_weights['beta'] * sum(class_losses.values())
        logits = model.segment(feats, images.shape[-2:])
        loss = loss + model.loss_weights['gamma'] * model.mask_loss(logits, masks)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def time_steps(cfg: Config, steps: int, warmup: int) -> dict[str, Any]:
    """Time bare, supervised and semi-supervised steps with the same number of slices.

    The kinds of steps take turns, so that the load of other programs is the same for all. The
    semi-supervised step computes the saliency of every unlabelled slice.

    Args:
        cfg: A semi-supervised or supervised config.
        steps: Timed rounds.
        warmup: Rounds before them that are not counted.

    Returns:
        For each kind of step, 'bare', 'supervised' and 'semi': 'ms' (median), 'parts' (median ms)
        and 'slices_per_s'. Also 'slices' of a step, 'rounds', and 'ratios': supervised to bare
        and semi-supervised to supervised, medians over the rounds.
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
        laps['supervised'].update(supervised.stopwatch.lap())
        if semi:
            laps['semi'].update(semi.stopwatch.lap())
        rounds.append(laps)
    return _summary(rounds[warmup:], cfg.train_dataloader.batch_size)


def _summary(rounds: list[dict], slices: int) -> dict[str, Any]:
    def ratio(kind: str, to: str) -> float:
        return median(r[kind]['total'] / r[to]['total'] for r in rounds)

    summary: dict[str, Any] = {'slices': slices, 'rounds': len(rounds)}
    for kind in rounds[0]:
        ms = median(r[kind]['total'] for r in rounds) * 1e3
        parts = {
            p: median(r[kind].get(p, 0.0) for r in rounds) * 1e3 for p in PARTS if kind != 'bare'
        }
        summary[kind] = dict(ms=ms, slices_per_s=slices / ms * 1e3, parts=parts)
    summary['ratios'] = {'supervised / bare': ratio('supervised', 'bare')}
    if 'semi' in rounds[0]:
        summary['ratios']['semi / supervised'] = ratio('semi', 'supervised')
    return summary


def supervised_of(cfg: Config) -> Config:
    """Return a config of the supervised step with the batch size of a semi-supervised config."""
    cfg = copy.deepcopy(cfg)
    loader = cfg.train_dataloader
    loader.sampler = dict(type='TwoStreamSampler', labelled_per_batch=loader.batch_size)
    loader.dataset.roles = ['labelled']
    steps = [step for step in loader.dataset.pipeline if step.type != 'StrongView']
    loader.dataset.pipeline = [
        {k: v for k, v in step.items() if k != 'two_views'} for step in steps
    ]
    for hook in ('pseudo_label', 'pseudo_label_monitor', 'evidence_fit'):
        cfg.default_hooks.pop(hook, None)
    return cfg


def _ready(cfg: Config) -> Config:
    """Return the config with all losses active from the first step, and without validation."""
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
