"""Plant collapses of the pseudo masks, and count the runs in which the monitor speaks.

python tests/helpers/planted_collapses.py --runs 50

Each run is 100 iterations of 8 slices of 32 x 32 px: half labelled, half with masks that are good
but not perfect, and a decoder that is right more or less. Nothing is trained.
"""

import argparse
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.logging import MessageHub
from scipy.ndimage import gaussian_filter
from torch import nn

from xaicovid_mm.engine.hooks import PseudoLabelMonitorHook
from xaicovid_mm.engine.hooks.pseudo_label_start import STARTED_AT
from xaicovid_mm.structures import CTSample

SIDE = 32
Y, X = np.mgrid[:SIDE, :SIDE]


class Logger(list):
    def warning(self, text):
        self.append(text)


class Model(nn.Module):
    """Its decoder gives what it is told to."""

    def __init__(self):
        super().__init__()
        self.decode_head = nn.Identity()
        self.loss_weights = dict(eta=5.0)
        self.weight = nn.Parameter(torch.ones(3))


def runner_in(folder, name):
    """What the monitor needs of a runner whose pseudo labels have started."""
    hub = MessageHub.get_instance(name)
    hub.update_info(STARTED_AT, 0)
    return SimpleNamespace(
        epoch=3, iter=0, message_hub=hub, logger=Logger(), work_dir=folder, model=Model()
    )


def lesion(rng, lung):
    """A patch of infection somewhere in the lungs, or none."""
    inside = np.argwhere(lung)
    y, x = inside[rng.integers(len(inside))]
    size = rng.uniform(2, 5) if rng.random() < 0.7 else 0
    return ((X - x) ** 2 + (Y - y) ** 2 < size**2) & lung


@lru_cache(maxsize=128)
def healthy(seed, step):
    """A batch: slices, true masks of all, pseudo masks and logits of the last 4."""
    rng = np.random.default_rng([seed, step])
    slices, truths, masks, logits = [], [], [], []
    for i in range(8):
        wide, high = rng.uniform(5, 7), rng.uniform(9, 13)
        lung = (((X - 9) / wide) ** 2 + ((Y - 16) / high) ** 2 < 1) | (
            ((X - 23) / wide) ** 2 + ((Y - 16) / high) ** 2 < 1
        )
        truth = lesion(rng, lung)
        truths.append(torch.tensor(truth)[None].to(torch.uint8))
        slices.append(torch.tensor(lung * rng.uniform(0.1, 0.5) + 0.3 * truth)[None].float())
        if i >= 4:
            near = gaussian_filter(truth.astype(float), 1) + 0.1 * rng.normal(size=truth.shape)
            soft = gaussian_filter(truth.astype(float), 0.8) + 0.05 * rng.normal(size=truth.shape)
            masks.append(torch.where(torch.tensor(lung), torch.tensor(soft).clip(0, 1), -1.0))
            logits.append(torch.tensor(6 * near - 3)[None].float())
    return slices, truths, torch.stack(masks)[:, None].float(), torch.stack(logits)


class Run:
    """Batches of a run whose labels are good but not perfect; ``collapse`` changes its masks."""

    def __init__(self, seed, collapse=None, breaks=0):
        self.seed, self.collapse, self.breaks = seed, collapse, breaks

    def __call__(self, step):
        slices, truths, masks, logits = healthy(self.seed, step)
        masks = masks.clone()
        if self.collapse and not (self.breaks and step % self.breaks == self.breaks - 1):
            masks = self.collapse(masks, step)
        samples = []
        for i, truth in enumerate(truths):
            sample = CTSample(metainfo=dict(sample_id=f'case{i % 3}/{i}', is_labelled=i < 4))
            if i < 4:
                sample.infection = truth
            else:
                sample.pseudo_mask = masks[i - 4]
            samples.append(sample)
        return dict(data_samples=samples, inputs=slices), logits


def shuffled_pixels(masks, step):
    masks = masks.clone()
    for mask in masks:
        values = mask[mask >= 0]
        mask[mask >= 0] = values[torch.randperm(len(values))]
    return masks


def within(change):
    """A collapse that leaves the pixels outside the lungs ignored."""
    return lambda masks, step: torch.where(masks < 0, masks, change(masks.clamp(min=0), step))


ONE = torch.tensor(((X - 9) ** 2 + (Y - 18) ** 2 < 16) * 0.9).float()
COLLAPSES = dict(
    background=within(lambda masks, step: masks * 0.1),
    foreground=within(lambda masks, step: masks * 0 + 0.9995),
    broken=within(lambda masks, step: masks * float('nan')),
    pixels=shuffled_pixels,
    slices=lambda masks, step: masks[torch.randperm(len(masks))],
    slices_within=within(lambda masks, step: masks[torch.randperm(len(masks))]),
    one=within(lambda masks, step: ONE.expand_as(masks)),
    first=lambda masks, step: masks[:1].expand_as(masks),
    inverted=within(lambda masks, step: 1 - masks),
    growing=within(lambda masks, step: (masks + step / 130).clamp(max=1)),
)


def follow(runner, run, iterations=100, monitor=None, **options):
    monitor = monitor or PseudoLabelMonitorHook(**options)
    monitor.before_train(runner)
    for step in range(iterations):
        batch, logits = run(step)
        runner.model.decode_head(logits)
        monitor.after_train_iter(runner, step, batch, dict(loss_u=torch.tensor(0.7)))
        runner.iter += 1
    return monitor


def first_alarm(folder, seed, collapse=None, breaks=0):
    """The iteration, from 1, after which the monitor first spoke; None if not in 100."""
    torch.manual_seed(seed)
    runner = runner_in(folder, 'planted collapse')
    run, monitor = Run(seed, collapse, breaks), PseudoLabelMonitorHook()
    monitor.before_train(runner)
    for step in range(100):
        batch, logits = run(step)
        runner.model.decode_head(logits)
        monitor.after_train_iter(runner, step, batch, dict(loss_u=torch.tensor(0.7)))
        runner.iter += 1
        if runner.logger:
            return runner.iter
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tried = {'healthy': (None, 0)}
    for kind, collapse in COLLAPSES.items():
        tried |= {kind: (collapse, 0), f'{kind}, a break every 50 iterations': (collapse, 50)}
    spoke = {name: [] for name in tried}
    for seed in range(args.runs):
        for name, how in tried.items():
            spoke[name].append(first_alarm(Path(), seed, *how))
    for name, iterations in spoke.items():
        at = sorted(iteration for iteration in iterations if iteration)
        when = f', after {at[0]} to {at[-1]} iterations' if at else ''
        print(f'{name}: {len(at)} of {args.runs}{when}')  # noqa: T201


if __name__ == '__main__':
    main()
