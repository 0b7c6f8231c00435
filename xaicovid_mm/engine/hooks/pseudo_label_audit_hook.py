"""Measure pseudo labels against hidden masks while a model trains."""

import json
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...data_prep.store.schema import UNKNOWN
from ...evaluation.pseudo_label_scores import PseudoLabelScores
from ...explain.activation_maps import inside_lungs
from ...explain.pseudo_labeler import SOURCES
from ...models import MultiTaskModel
from ...registry import HOOKS
from ...utils.files import write_bytes
from .pseudo_label_hook import PseudoLabelHook, pseudo_label_hook_of
from .spread_slices import SpreadSlices

AUDITED = ('caam', 'saliency', 'prob', 'fused')
AUDIT_FILE = 'pseudo_label_audit.jsonl'
HEADLINE = 'dice_infected_volume_mean'


@HOOKS.register_module()
class PseudoLabelAuditHook(Hook):
    """Measure each source of the pseudo label against the hidden masks of the unlabelled slices.

    Training never sees those masks: only this hook opens them, in a dataset of its own, and no
    result goes back into training. It changes no weight, gradient or random state, so a run is the
    same with it and without. Slices without a mask are left out; if none has one there is no audit.
    Not in the paper.

    Args:
        dataset: Config of the unlabelled slices with ``reveal=True``.
        interval: Epochs between two audits; the last epoch always has one.
        max_slices: Evenly spaced slices to look at; default all.
        batch_size: Slices at a time.
        begin: Epochs that pass before the first audit.

    Raises:
        ValueError: If interval, max_slices or batch_size is below 1.
    """

    def __init__(
        self,
        dataset: dict,
        interval: int = 1,
        max_slices: int | None = None,
        batch_size: int = 8,
        begin: int = 0,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval={interval} must be 1 or more')
        self.interval, self.begin = interval, begin
        self.slices = SpreadSlices(dataset, max_slices, batch_size)
        audited = self.slices.dataset
        rows = audited.rows[self.slices.positions]
        self._has_masks = bool((audited.store.index['infection'][rows] != UNKNOWN).any())

    def before_train(self, runner: Runner) -> None:
        """Refuse a run without pseudo labels; warn of one without masks to compare them with.

        Raises:
            ValueError: If there is no PseudoLabelHook.
        """
        _pseudo_label_hook(runner)
        if not self._has_masks:
            runner.logger.warning(
                f'{self.slices.dataset.store.root}: none of the {len(self.slices)} unlabelled '
                'slices to audit has a mask, so the quality of the pseudo labels stays unknown'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        """Write the line of this epoch to ``pseudo_label_audit.jsonl`` in the work dir, log it."""
        due = self.every_n_epochs(runner, self.interval, self.begin)
        if self._has_masks and (due or self.is_last_train_epoch(runner)):
            self._audit(runner)

    @master_only
    def _audit(self, runner: Runner) -> None:
        hook = _pseudo_label_hook(runner)
        scores = self.measure(hook, hook.teaching(runner))
        epoch = runner.epoch + 1
        _write(Path(runner.work_dir, AUDIT_FILE), {'epoch': epoch, **scores})
        scalars = {f'audit/{k}_{s}': v for s in AUDITED for k, v in scores[s].items()}
        runner.message_hub.update_scalars(scalars)
        runner.visualizer.add_scalars(scalars, step=epoch)
        dice, precision = (
            ', '.join(f'{name} {scores[name].get(key, np.nan):.3f}' for name in AUDITED)
            for key in (HEADLINE, 'average_precision')
        )
        runner.logger.info(
            f'pseudo labels after epoch {epoch}, Dice by infected volume at 0.5 against '
            f'{scores["slices"]} hidden masks: {dice}; average precision inside the lungs: '
            f'{precision}; evidence counts in {scores["evidence"]:.0%} of the slices'
        )

    def measure(self, hook: PseudoLabelHook, model: MultiTaskModel) -> dict:
        """Score each source, see ``PseudoLabelScores``.

        Returns:
            Scores by source, with the ``weight`` of a source that is fused; ``slices``, the number
            of masks compared with; and ``evidence``, the share in [0, 1] of the slices whose
            evidence counts.
        """
        quality = {name: PseudoLabelScores() for name in AUDITED}
        evidence, masks = [], 0
        for samples, images in self.slices.batches(model):
            labels = _labels(samples, model)
            sources = hook.labeler.sources(model, images, labels, every=True)
            evidence.append(sources['evidence'])
            inside = inside_lungs(images)
            maps = {**sources, 'fused': hook.labeler.fuse(sources) * inside}
            for i, sample in enumerate(samples):
                if 'infection' in sample:
                    masks += 1
                    mask = sample.infection[0].numpy()
                    lung = inside[i, 0].cpu().numpy()
                    for name in AUDITED:
                        quality[name].add(maps[name][i, 0].cpu().numpy(), mask, sample.case, lung)
        scores = {name: source.scores() for name, source in quality.items()}
        weights = dict(zip(SOURCES, hook.labeler.calibration.weights, strict=False))
        for name in scores.keys() & weights.keys():
            scores[name]['weight'] = weights[name]
        share = float((torch.cat(evidence) > 0).float().mean())
        return {'slices': masks, **scores, 'evidence': share}


def _pseudo_label_hook(runner: Runner) -> PseudoLabelHook:
    if hook := pseudo_label_hook_of(runner):
        return hook
    raise ValueError('PseudoLabelAuditHook needs a PseudoLabelHook: add one or leave it out')


def _write(path: Path, record: dict) -> None:
    """Append the record, without the lines of this epoch or later that a resumed run repeats."""
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    earlier = [line for line in lines if json.loads(line)['epoch'] < record['epoch']]
    text = '\n'.join([*earlier, json.dumps(record)]) + '\n'
    write_bytes(path, text.encode())


def _labels(samples: list, model: MultiTaskModel) -> torch.Tensor | None:
    if any('label' not in sample for sample in samples):
        return None
    device = next(model.parameters()).device
    return torch.stack([sample.label for sample in samples]).to(device)
