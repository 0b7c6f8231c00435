"""Whether the class depends on the pixels that a map names."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...explain.activation_maps import inside_lungs
from ...explain.captum_attribution import captum_module
from ...explain.lung_blur import blurred_lung
from .lung_filling import impute

Classify = Callable[[Tensor], Tensor]
"""Slices (B, 1, H, W) to class logits (B, C)."""

STEPS = 8
"""Steps of the insertion and deletion curves."""
ROAD_SHARES = (0.2, 0.5, 0.8)
"""Shares of the lung that ROAD takes away."""
INFIDELITY_DRAWS = 10
"""Squares that infidelity blurs in each slice."""


def faithfulness_scores(
    classify: Classify, images: Tensor, lung: Tensor, labels: Tensor, maps: Tensor, seed: int = 0
) -> list[dict[str, float]]:
    """Score the maps of slices by what the network answers without, or with only, their pixels.

    Not in the paper. p is the softmax probability of the explained class.

    Args:
        classify: The network.
        images: (B, 1, H, W) in [0, 1], 0 outside the lungs.
        lung: bool (B, 1, H, W).
        labels: (B,), the class that is explained.
        maps: (B, 1, H, W), finite.
        seed: Of the order of equal pixels, the noise of ROAD and the squares of infidelity.

    Returns:
        For each slice: ``deletion_auc``, the area under p, in [0, 1], while the lung is replaced
        by its blur from the largest values down (low: p hangs on them), and ``insertion_auc``, the
        same while the blur is replaced by the lung (high); Petsiuk et al., 2018. ``road``, half of
        p without the smallest values less p without the largest ones, mean over ``ROAD_SHARES``,
        in [-1, 1], high is good (Rong et al., 2022). ``infidelity``, the mean squared error with
        which the map, scaled best, foretells how the logit changes when a square is blurred, in
        squared logits (Yeh et al., 2019; captum). Low is good. Empty for a slice without lung.
    """
    if not len(images):
        return []
    order = _ranks(maps, lung, seed)
    curves = _curves(classify, images, lung, labels, order)
    road = _road(classify, images, lung, labels, order, seed)
    infidelity = _infidelity(classify, images, labels, maps, seed)
    return [
        dict(
            deletion_auc=float(curves[0, i]),
            insertion_auc=float(curves[1, i]),
            road=float(road[i]),
            infidelity=max(float(infidelity[i]), 0.0),  # captum's sum may round below 0
        )
        if lung[i].any()
        else {}
        for i in range(len(images))
    ]


def _ranks(maps: Tensor, lung: Tensor, seed: int) -> Tensor:
    """Place of each pixel in the lungs, (B, 1, H, W) in [0, 1): 0 the largest; 1 outside."""
    rng = np.random.default_rng(seed)
    places = torch.ones_like(maps, dtype=torch.float32)
    for place, values, inside in zip(places, maps, lung, strict=True):
        found = values[inside].cpu().numpy()
        order = np.lexsort((rng.random(len(found)), -found))
        ranks = np.empty(len(found), np.float32)
        ranks[order] = np.arange(len(found)) / max(len(found), 1)
        place[inside] = torch.from_numpy(ranks).to(place)
    return places


def _curves(
    classify: Classify, images: Tensor, lung: Tensor, labels: Tensor, order: Tensor
) -> np.ndarray:
    """Areas (2, B) under p by deletion and by insertion."""
    blur = blurred_lung(images, lung)
    probs = np.zeros((2, STEPS + 1, len(images)))
    for step, share in enumerate(np.linspace(0, 1, STEPS + 1)):
        first = order < share
        for k, mixed in enumerate(
            (torch.where(first, blur, images), torch.where(first, images, blur))
        ):
            probs[k, step] = _prob(classify, mixed * lung, labels)
    return np.trapezoid(probs, dx=1 / STEPS, axis=1)


def _road(
    classify: Classify, images: Tensor, lung: Tensor, labels: Tensor, order: Tensor, seed: int
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gains = np.zeros(len(images))
    for share in ROAD_SHARES:
        without_largest, without_smallest = (
            _prob(classify, _imputed(images, lung, removed & lung, rng), labels)
            for removed in (order < share, order >= 1 - share)
        )
        gains += (without_smallest - without_largest) / 2
    return gains / len(ROAD_SHARES)


def _imputed(images: Tensor, lung: Tensor, removed: Tensor, rng: np.random.Generator) -> Tensor:
    arrays = (x[:, 0].cpu().numpy() for x in (images, lung, removed))
    filled = [impute(image, inside, gone, rng) for image, inside, gone in zip(*arrays, strict=True)]
    return torch.from_numpy(np.stack(filled)[:, None]).to(images)


def _infidelity(
    classify: Classify, images: Tensor, labels: Tensor, maps: Tensor, seed: int
) -> np.ndarray:
    infidelity = captum_module('metrics', 'infidelity').infidelity

    rng = torch.Generator().manual_seed(seed)
    height, width = images.shape[-2:]
    half = max(height // 16, 1)
    y, x = torch.arange(height)[:, None], torch.arange(width)

    def blur_squares(inputs: Tensor) -> tuple[Tensor, Tensor]:
        inside = inside_lungs(inputs)
        places = [torch.nonzero(m[0].cpu()) for m in inside]
        chosen = [
            p[int(torch.randint(len(p), (), generator=rng))] if len(p) else torch.zeros(2)
            for p in places
        ]
        squares = [((y - c[0]).abs() <= half) & ((x - c[1]).abs() <= half) for c in chosen]
        square = torch.stack(squares)[:, None].to(inputs.device)
        change = torch.where(square, inputs - blurred_lung(inputs, inside), 0.0) * inside
        return change, inputs - change

    peak = maps.abs().amax((1, 2, 3), keepdim=True).float()
    scaled = maps.float() / torch.where(peak > 0, peak, 1.0)  # captum squares them

    def logit(inputs: Tensor, wanted: Tensor) -> Tensor:
        return classify(inputs).gather(1, wanted[:, None])[:, 0]

    with torch.no_grad():
        return (
            infidelity(
                logit,
                blur_squares,
                images,
                scaled.to(images),
                additional_forward_args=(labels,),
                n_perturb_samples=INFIDELITY_DRAWS,
                normalize=True,
            )
            .cpu()
            .numpy()
        )


def _prob(classify: Classify, images: Tensor, labels: Tensor) -> np.ndarray:
    with torch.no_grad():
        return classify(images).softmax(1).gather(1, labels[:, None])[:, 0].cpu().numpy()
