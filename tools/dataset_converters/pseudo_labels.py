"""Pseudo labels of a trained model for the unlabelled slices of a split, as hard masks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.datasets import SliceDataset
from xaicovid_mm.engine.checkpoint import read_checkpoint
from xaicovid_mm.engine.config import load_config
from xaicovid_mm.engine.hooks.evidence_fit_hook import STATE
from xaicovid_mm.engine.provenance import provenance, provenance_of
from xaicovid_mm.engine.trained_model import trained_model
from xaicovid_mm.explain import PseudoLabeler
from xaicovid_mm.explain.activation_maps import inside_lungs
from xaicovid_mm.explain.pseudo_labeler import IGNORED
from xaicovid_mm.models import EvidenceFusion
from xaicovid_mm.registry import TASK_UTILS
from xaicovid_mm.utils.errors import CheckpointError, ConfigError

INFECTION, IGNORE = 1, 2
THRESHOLD = 0.5
"""Of the soft label: the calibration puts its decision there."""
SEEN = ('lung_fill', 'window', 'allow_leaks')
"""Arguments of a dataset that say what a network sees."""
BATCH = 8


class PseudoLabels:
    """The labels that a run would teach at its end.

    Args:
        config: Of a semi-supervised run.
        checkpoint: Written by that run.
        store: The store that it was trained on.
        split: The split that it was trained on.

    Raises:
        ConfigError: If the config makes no pseudo labels.
        CheckpointError: If the run was on another store or split, or as ``trained_model``.
        StoreError: If the split has no unlabelled slices.
    """

    def __init__(
        self, config: str | Path, checkpoint: str | Path, store: SliceStore, split: str
    ) -> None:
        """Load the model and the labeler."""
        cfg = load_config(config)
        hook = (cfg.get('default_hooks') or {}).get('pseudo_label') or {}
        if 'labeler' not in hook:
            raise ConfigError(
                f'{config} makes no pseudo labels: give one with default_hooks.pseudo_label'
            )
        dataset = cfg.train_dataloader.dataset
        dataset.store, dataset.split = str(store.root), split
        content = read_checkpoint(Path(checkpoint))
        _check_data(provenance(cfg.to_dict()), provenance_of(content), checkpoint)
        self.model = trained_model(cfg, checkpoint)
        self.labeler = _fitted(TASK_UTILS.build(hook['labeler']), content)
        self.dataset = SliceDataset(
            store.root,
            split,
            ['unlabelled'],
            [dict(type='PackCTInputs')],
            weak_labels=self.labeler.evidence_from == 'label',
            **{key: dataset[key] for key in SEEN if key in dataset},
        )

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the row of the store and the mask of each slice, uint8 (H, W).

        1 is infection; 2 is a pixel inside the lungs that the run would ignore.
        """
        for start in range(0, len(self.dataset), BATCH):
            stop = min(start + BATCH, len(self.dataset))
            items = [self.dataset[position] for position in range(start, stop)]
            given = {'inputs': [item['inputs'] for item in items]}
            images = self.model.data_preprocessor(given)['inputs']
            known = self.labeler.evidence_from == 'label'
            labels = torch.stack([i['data_samples'].label for i in items]) if known else None
            soft = self.labeler(self.model, images, labels)
            masks = (soft > THRESHOLD).to(torch.uint8) * INFECTION
            masks[(soft == IGNORED) & inside_lungs(images)] = IGNORE
            yield from zip(self.dataset.rows[start:stop].tolist(), masks[:, 0].numpy(), strict=True)


def _check_data(now: dict[str, Any], then: dict[str, Any], checkpoint: str | Path) -> None:
    """Refuse a run on other data: it may have learned from patients that are validated here."""
    for what in ('store', 'split'):
        key = f'{what}_sha256'
        if key in then and then[key] != now[key]:
            names = f' ({then["split"]}, not {now["split"]})' if what == 'split' else ''
            raise CheckpointError(
                f'{checkpoint} was trained on another {what}{names}: '
                'give that of its training, with the same --split and --budget'
            )


def _fitted(labeler: PseudoLabeler, checkpoint: dict[str, Any]) -> PseudoLabeler:
    """The labeler with the calibration that the run had fitted, if it fits one."""
    fusion = labeler.calibration
    if isinstance(fusion, EvidenceFusion):
        state = checkpoint.get('message_hub', {}).get('runtime_info', {}).get(STATE)
        if state is None:
            raise ConfigError(
                'the run had not fitted its calibration yet, it had no pseudo labels: '
                'give a later checkpoint'
            )
        fusion.weights, fusion.offset = list(state['weights']), state['offset']
    return labeler
