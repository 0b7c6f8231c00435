"""Compute all explanation maps of a few slices, for figures."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from mmengine import Config

from ..datasets import SliceDataset
from ..evaluation.mask_settings import mask_settings
from ..explain import FusedActivation, PseudoLabeler, class_activation, infection_mask
from ..models import MultiTaskModel
from ..registry import TASK_UTILS
from ..utils.model import eval_mode


def largest_lesions(dataset: SliceDataset, count: int) -> list[int]:
    """Return the positions of the slices with the largest infection in a dataset.

    The worst slice of each patient comes first, the largest infection first. If there are fewer
    patients than ``count``, the second worst slices follow, and so on.

    Raises:
        ValueError: If no slice is known to hold infection.
    """
    size = dataset.store.index[dataset.rows]['infection_px']
    return _of_many_patients(dataset, np.argsort(-size, kind='stable').tolist(), count)


def drawn_slices(dataset: SliceDataset, count: int) -> list[int]:
    """Return the positions of slices with infection that nobody chose: by the hash of their name.

    One of each patient comes first. If there are fewer patients than ``count``, the second of each
    follow, and so on.

    Raises:
        ValueError: If no slice is known to hold infection.
    """
    names = [hashlib.sha256(name.encode()).hexdigest() for name in dataset.sample_ids]
    return _of_many_patients(dataset, sorted(range(len(names)), key=names.__getitem__), count)


def _of_many_patients(dataset: SliceDataset, positions: Sequence[int], count: int) -> list[int]:
    """Of slices in an order, those with infection, the first of each patient first."""
    index = dataset.store.index[dataset.rows]
    patients = [dataset.store.cases[case].patient for case in index['case']]
    ranks: dict[str, int] = {}
    order = []
    for position in positions:
        if index['infection_px'][position] > 0:
            rank = ranks.get(patients[position], 0)
            ranks[patients[position]] = rank + 1
            order.append((rank, position))
    if not order:
        raise ValueError(
            f'{dataset.store.root}: none of the {len(dataset)} slices has an infection mask to '
            'compare with: choose a role or a store with masks'
        )
    return [position for _, position in sorted(order, key=lambda pair: pair[0])[:count]]


def figure_labeler(cfg: Config) -> PseudoLabeler:
    """Build the labeler of a config, or the default one, with evidence from the predicted class.

    The slices of a figure have no class that the labeler could read.
    """
    hook = cfg.default_hooks.get('pseudo_label') or dict(labeler=dict(type='PseudoLabeler'))
    labeler: PseudoLabeler = TASK_UTILS.build({**hook['labeler'], 'evidence_from': 'pred'})
    return labeler


def explain_slices(
    model: MultiTaskModel, cfg: Config, dataset: SliceDataset, positions: Sequence[int]
) -> list[dict]:
    """Return rows for ``draw_strip`` of some slices with infection.

    The maps are shown whether or not they count as evidence. The pseudo label is the one that
    training would use. The mask is the one that is tested.

    Args:
        model: The network, without distributed wrapper.
        cfg: Its config, which names the labeler and the metric.
        dataset: Dataset whose slices have masks.
        positions: Of the slices in the dataset, see ``largest_lesions``.

    Returns:
        For each slice: ``name`` as ``<case>_<slice>``, ``title``, ``predicted``, bool (H, W), and
        ``image``, ``infection``, ``cam``, ``pseudo_mask`` and the sources of the labeler, each
        (H, W) in [0, 1].
    """
    labeler, settings = figure_labeler(cfg), mask_settings(cfg)
    items = [dataset[position] for position in positions]
    images = model.data_preprocessor({'inputs': [item['inputs'] for item in items]})['inputs']
    counted = labeler.sources(model, images)
    maps = labeler.sources(model, images, evidence_from='none', every=True) | {
        **activation_maps(model, images, labeler.target_class),
        'pseudo_mask': labeler.fuse(counted),
    }
    rows = []
    for i, item in enumerate(items):
        sample = item['data_samples']
        rows.append(
            dict(
                name=f'{sample.case}_{sample.slice_index}',
                title=f'{sample.case}\nstore slice {sample.slice_index}',
                image=item['inputs'][0].numpy(),
                infection=sample.infection[0].numpy(),
                predicted=infection_mask(maps['prob'][i, 0], **settings).cpu().numpy(),
                **{k: v[i, 0].cpu().numpy() for k, v in maps.items() if v.ndim == 4},
            )
        )
    return rows


def activation_maps(
    model: MultiTaskModel, images: torch.Tensor, label: int
) -> dict[str, torch.Tensor]:
    """Return ``caam`` and the ``cam`` of a class as they are shown, (B, 1, H, W) in [0, 1]."""
    shown = {'caam': FusedActivation('caam'), 'cam': class_activation(model.cls_head)}
    with eval_mode(model), torch.no_grad():
        feats = model.features(images)
        return {k: show(model.cls_head, feats, images, label) for k, show in shown.items()}
