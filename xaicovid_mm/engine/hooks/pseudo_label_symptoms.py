"""What tells collapsed pseudo masks from healthy ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from scipy.stats import spearmanr
from torch import Tensor

Sums = defaultdict[str, float]
"""Sums over the slices of a batch by name; a name that is missing is 0. Sums of batches can be
added. Covariances are taken within each slice."""

SYMPTOMS = {
    'background': 'the pseudo masks are all background: unlabelled slices teach "no infection"',
    'foreground': 'the pseudo masks are all infection: unlabelled slices teach "infection '
    'everywhere"',
    'broken': 'the pseudo masks are no numbers: unlabelled slices spoil every weight',
    'silent': 'loss_u is zero or missing: unlabelled slices teach nothing about infection',
    'noise': 'the pseudo masks are noise: a pixel says nothing about the one beside it',
    'same': 'the pseudo masks of different slices are the same',
    'elsewhere': 'the pseudo masks disagree with the decoder: they fit its output on their own '
    'slice no better than on another',
    'large': "the pseudo masks' area is several times that of the labelled slices",
    'growing': "the pseudo masks' area grows without end",
}
"""What each symptom means, in words: what is seen, and after a colon what it does."""

POOLED = ('elsewhere', 'growing')
"""Symptoms that are judged on a whole window."""
COHERENT = 0.3
"""Correlation of a pixel with the one beside it: 0 if shuffled, 0.73 or more in healthy runs."""
ALIKE = 0.7
"""Likeness of different slices' masks, as a share of that with themselves; healthy: near 0."""
AGREEING = 0.05
"""Correlation of pseudo masks and decoder: 0 if shuffled, 0.26 or more from the start of healthy
runs."""
ELSEWHERE = 0.3
"""Covariance of the decoder with other slices' masks as a share of that with its own: 0.4 or more
if slices are shuffled within a batch, some of which stay in place; 0.04 to 0.14 in healthy runs."""
LARGE, TIMES = 0.4, 4.0
"""Share of the pixels that teach; times the area of the labelled slices."""
GROWN, RISING = 2.0, 0.8
"""Times the area at the start of the window; rank correlation of area and time."""


def sums_of(
    masks: Tensor, teaching: Tensor, prob: Tensor | None, known: Sequence[tuple[Tensor, Tensor]]
) -> Sums:
    """Add up what the symptoms need of a batch.

    Args:
        masks: (B, 1, H, W) pseudo masks.
        teaching: Like masks; where a pixel teaches.
        prob: Like masks, the decoder's output on the slices; None where there is none.
        known: Masks and lungs of the labelled slices, each (1, H, W).
    """
    broken = ~masks.isfinite()
    masks = masks.masked_fill(broken, 0.0)
    centred = _centred(masks, teaching)
    beside = teaching[..., 1:] & teaching[..., :-1]
    left, right = centred[..., :-1] * beside, centred[..., 1:] * beside
    zero = masks.new_zeros(())
    sums = dict(
        pixels=teaching.sum(),
        foreground=((masks > 0.5) & teaching).sum(),
        broken=broken.sum(),
        beside=(left * right).sum(),
        beside_var=(left.square() + right.square()).sum() / 2,
        mask_var=centred.square().sum(),
        alike=_with_others(centred, centred),
        known_pixels=sum((lung.sum() for _, lung in known), zero),
        known_foreground=sum((((mask > 0) & lung).sum() for mask, lung in known), zero),
    )
    if prob is not None:
        decoded = _centred(prob, teaching)
        sums |= dict(
            own=(centred * decoded).sum(),
            other=_with_others(centred, decoded),
            prob_var=decoded.square().sum(),
        )
    values = torch.stack([value.double() for value in sums.values()]).tolist()
    return defaultdict(float, zip(sums, values, strict=True))


def pooled(parts: Iterable[Sums]) -> Sums:
    """Add up the sums of several batches."""
    total: Sums = defaultdict(float)
    for part in parts:
        for name, value in part.items():
            total[name] += value
    return total


def symptoms_of(block: Sums, window: Sums, low: float, high: float) -> dict[str, bool]:
    """Judge the symptoms, all but 'silent' and 'growing'.

    Args:
        block: Of some batches.
        window: Of more batches, for the symptoms that need many slices; empty to leave those out.
        low: Share of foreground below which masks count as all background.
        high: Share above which they count as all foreground.
    """
    area = block['foreground'] / max(block['pixels'], 1)
    known = block['known_foreground'] / max(block['known_pixels'], 1)
    spread = (window['mask_var'] * window['prob_var']) ** 0.5
    return {
        'background': bool(block['pixels']) and area < low,
        'foreground': area > high,
        'broken': block['broken'] > 0,
        'noise': block['beside_var'] > 0 and block['beside'] < COHERENT * block['beside_var'],
        'same': block['mask_var'] > 0 and block['alike'] > ALIKE * block['mask_var'],
        'elsewhere': spread > 0
        and (window['own'] < AGREEING * spread or window['other'] > ELSEWHERE * window['own']),
        'large': bool(block['known_pixels']) and area > max(LARGE, TIMES * known),
    }


def is_growing(blocks: Sequence[Sums]) -> bool:
    """Whether the area rises all the time, has doubled and is beyond the labelled slices'."""
    areas = [block['foreground'] / max(block['pixels'], 1) for block in blocks]
    whole = pooled(blocks)
    known = whole['known_foreground'] / max(whole['known_pixels'], 1)
    if len(areas) < 5 or min(areas[-2:]) < GROWN * max(areas[0], known, 0.001):
        return False
    return bool(spearmanr(range(len(areas)), areas).statistic > RISING)


def agreement_of(masks: Tensor, prob: Tensor, teaching: Tensor) -> list[float]:
    """Correlation of each slice's mask with the decoder, in [-1, 1]; nan if one is constant."""
    one, other = _centred(masks, teaching), _centred(prob, teaching)
    both = one.square().sum((1, 2, 3)) * other.square().sum((1, 2, 3))
    return ((one * other).sum((1, 2, 3)) / both.sqrt()).tolist()


def _centred(values: Tensor, where: Tensor) -> Tensor:
    """Less the mean of each slice, and 0 elsewhere."""
    count = where.sum((1, 2, 3), keepdim=True).clamp(min=1)
    return (values - (values * where).sum((1, 2, 3), keepdim=True) / count) * where


def _with_others(one: Tensor, other: Tensor) -> Tensor:
    """Sum over slices of the mean product of a slice's map with those of the other slices."""
    apart = (one.sum(0) * other.sum(0)).sum() - (one * other).sum()
    return apart / max(len(one) - 1, 1)
