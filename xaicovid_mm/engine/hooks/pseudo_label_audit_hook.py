"""What the pseudo labels are worth, epoch by epoch."""

import json
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ...evaluation.source_quality import SourceQuality
from ...models import MultiTaskModel
from ...registry import DATASETS, HOOKS
from .pseudo_label_hook import PseudoLabelHook

SOURCES = ('caam', 'saliency', 'prob', 'fused')


@HOOKS.register_module()
class PseudoLabelAuditHook(Hook):
    """Measure each source of the pseudo label against the hidden masks of the unlabelled slices.

    Only this hook opens those masks; nothing of what it finds goes back into training. It changes
    no weight, no gradient and no random state, so a run is the same with it and without.

    Args:
        dataset: Config of the unlabelled slices with ``reveal=True``.
        interval: Epochs between two audits; the last epoch always has one.
        max_slices: Evenly spaced slices to look at; default all.
        batch_size: Slices at a time.
    """

    def __init__(
        self,
        dataset: dict,
        interval: int = 1,
        max_slices: int | None = None,
        batch_size: int = 8,
    ) -> None:
        self.dataset = DATASETS.build(dataset)
        self.interval, self.batch_size = interval, batch_size
        count = min(max_slices or len(self.dataset), len(self.dataset))
        self.positions = np.linspace(0, len(self.dataset) - 1, count).round().astype(int)

    def after_train_epoch(self, runner: Runner) -> None:
        """Append a line to ``pseudo_label_audit.jsonl`` in the work dir and log it."""
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            self._audit(runner)

    @master_only
    def _audit(self, runner: Runner) -> None:
        hook = next((h for h in runner.hooks if isinstance(h, PseudoLabelHook)), None)
        if hook is None:
            raise ValueError(
                'PseudoLabelAuditHook needs a PseudoLabelHook: add one or leave it out'
            )
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        scores = self.measure(hook, model)
        record = {'epoch': runner.epoch + 1, 'slices': len(self.positions), **scores}
        with open(Path(runner.work_dir, 'pseudo_label_audit.jsonl'), 'a', encoding='utf-8') as file:
            file.write(json.dumps(record) + '\n')
        dice = ', '.join(
            f'{name} {scores[name]["dice_infected_volume_mean"]:.3f}' for name in SOURCES
        )
        runner.logger.info(
            f'pseudo labels after epoch {runner.epoch + 1}, Dice by infected volume at 0.5 against '
            f'{len(self.positions)} hidden masks: {dice}; gate open for {scores["gate"]:.0%}'
        )

    def measure(self, hook: PseudoLabelHook, model: MultiTaskModel) -> dict:
        """Scores of each source, see ``SourceQuality``, and ``gate``: the share let through."""
        quality = {name: SourceQuality() for name in SOURCES}
        gates = []
        for start in range(0, len(self.positions), self.batch_size):
            items = [self.dataset[i] for i in self.positions[start : start + self.batch_size]]
            samples = [item['data_samples'] for item in items]
            images = model.data_preprocessor({'inputs': [item['inputs'] for item in items]})
            sources = hook.labeler.sources(model, images['inputs'], _labels(samples, model))
            gates.append(sources['gate'])
            maps = {**sources, 'fused': hook.labeler.fuse(sources)}
            for i, sample in enumerate(samples):
                if 'infection' in sample:
                    mask = sample.infection[0].numpy()
                    for name in SOURCES:
                        quality[name].add(maps[name][i, 0].cpu().numpy(), mask, sample.case)
        return {name: quality[name].scores() for name in SOURCES} | {
            'gate': float((torch.cat(gates) > 0).float().mean())
        }


def _labels(samples: list, model: MultiTaskModel) -> torch.Tensor | None:
    if any('label' not in sample for sample in samples):
        return None
    device = next(model.parameters()).device
    return torch.stack([sample.label for sample in samples]).to(device)
