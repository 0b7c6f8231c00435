"""Compare the saliency with captum, and pseudo labels of few integration steps with exact ones."""

import copy
from statistics import median
from typing import Any

import numpy as np
import torch
from benchmark_utils.stopwatch import time_in_turn
from captum.attr import IntegratedGradients
from mmengine import Config
from torch import Tensor
from torch.nn import functional as F

from xaicovid_mm.evaluation.metrics.slice_records import pixel_counts
from xaicovid_mm.explain import PseudoLabeler, integrated_gradients
from xaicovid_mm.explain.integrated_gradients import Score
from xaicovid_mm.models import MultiTaskModel
from xaicovid_mm.registry import DATASETS
from xaicovid_mm.utils.overlap import dice_iou

CAPTUM_STEPS, REFERENCE_STEPS, EXACT_STEPS = 20, 100, 50
SETTINGS = [(steps, rule) for rule in ('right', 'gauss', 'log') for steps in (1, 2, 3, 4, 8)]
BATCH = 8


def unlabelled_slices(cfg: Config, count: int) -> tuple[Tensor, Tensor | None]:
    """Return weak views (N, 1, H, W) spread over the unlabelled slices, and their hidden masks.

    The masks are None if the store lacks the mask of any of them.
    """
    source = cfg.train_dataloader.dataset
    plain = dict(source, roles=['unlabelled'], reveal=True, pipeline=[dict(type='PackCTInputs')])
    dataset = DATASETS.build({k: v for k, v in plain.items() if k != 'weak_labels'})
    positions = torch.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().int()
    items = [dataset[i] for i in positions.tolist()]
    masks = [item['data_samples'].get('infection') for item in items]
    known = all(mask is not None for mask in masks)
    return torch.stack([item['inputs'] for item in items]), torch.stack(masks) if known else None


def against_captum(
    model: MultiTaskModel, labeler: PseudoLabeler, images: Tensor, repeats: int
) -> dict[str, Any]:
    """Time our saliency and captum's on one slice, and compare both with 100 steps.

    Returns:
        'setting' of our saliency; 'ms' of both; 'ratio' of the times, median over the repeats;
        'cosine' of the signed attributions with those of 100 steps, mean over ``images``.
    """
    score, saliency, label = _score(model, labeler), labeler.saliency, labeler.target_class
    captum, one = IntegratedGradients(score), images[:1]
    options = dict(n_steps=CAPTUM_STEPS, method='riemann_right')
    seconds = time_in_turn(
        {
            'ours': lambda: saliency(lambda x: model.cls_head(model.features(x)), one, label),
            'captum': lambda: captum.attribute(one, **options),
        },
        repeats,
    )
    exact = integrated_gradients(score, images, REFERENCE_STEPS)
    attributions = {
        'ours': integrated_gradients(score, images, saliency.steps, saliency.rule),
        'captum': torch.cat([captum.attribute(image[None], **options) for image in images]),
    }
    return dict(
        setting=f'{saliency.steps} {saliency.rule}',
        ms={name: median(times) * 1e3 for name, times in seconds.items()},
        ratio=median(a / b for a, b in zip(seconds['ours'], seconds['captum'], strict=True)),
        cosine={name: _cosine(maps, exact) for name, maps in attributions.items()},
    )


def cheaper_settings(
    model: MultiTaskModel, labeler: PseudoLabeler, images: Tensor, truth: Tensor | None
) -> list[dict[str, Any]]:
    """Compare the pseudo labels of several settings with those of 50 steps of the right rule.

    The evidence of every slice counts, whatever its predicted class.

    Returns:
        A row per setting, the exact one first: 'setting'; 'agreement', the Dice in percent with
        the exact labels at threshold 0.5 over all pixels; 'difference', mean absolute; 'cosine'
        of the saliency maps; and 'dice' with the truth in percent, where it is known.
    """
    settings = [(EXACT_STEPS, 'right'), (labeler.saliency.steps, labeler.saliency.rule), *SETTINGS]
    rows: list[dict[str, Any]] = []
    for steps, rule in dict.fromkeys(settings):
        masks, maps = _labels(model, labeler, images, steps, rule)
        if not rows:
            exact, exact_maps = masks, maps
        row = dict(
            setting=f'{steps} {rule}',
            agreement=_dice(masks, exact),
            difference=(masks - exact).abs().mean().item(),
            cosine=_cosine(maps, exact_maps),
        )
        rows.append(row if truth is None else {**row, 'dice': _dice(masks, truth)})
    return rows


def _labels(
    model: MultiTaskModel, labeler: PseudoLabeler, images: Tensor, steps: int, rule: str
) -> tuple[Tensor, Tensor]:
    other = copy.copy(labeler)
    other.evidence_from = 'none'
    other.saliency = copy.copy(labeler.saliency)
    other.saliency.steps, other.saliency.rule = steps, rule
    sources = [other.sources(model, batch) for batch in images.split(BATCH)]
    masks = torch.cat([other.fuse(source) for source in sources])
    return masks, torch.cat([source['saliency'] for source in sources])


def _score(model: MultiTaskModel, labeler: PseudoLabeler) -> Score:
    return lambda x: model.cls_head(model.features(x))[:, labeler.target_class]


def _dice(one: Tensor, other: Tensor) -> float:
    counts = pixel_counts(one > 0.5, other > 0.5)
    return 100 * float(dice_iou(np.array([*counts.values()]))[0])


def _cosine(maps: Tensor, exact: Tensor) -> float:
    return F.cosine_similarity(maps.flatten(1), exact.flatten(1)).mean().item()
