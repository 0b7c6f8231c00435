"""The mask loss, for true and for pseudo masks."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS

MIN_AUTO = 0.1
"""The smallest weight of ``bg_weight='auto'``."""


@MODELS.register_module()
class WeightedBCELoss(nn.Module):
    """Binary cross entropy whose background term has a weight, Eqs. (11) and (12).

    The two equations differ in the target alone: a true mask, or a soft pseudo mask.

    Args:
        bg_weight: w, the weight of the background term, in (0, 1]; its value is not in the paper.
            With 0.5 the network says 0.5 where infection has the probability 1/3. 'auto' is
            foreground pixels divided by background pixels of each batch, within [0.1, 1].
        mean_over: 'valid' divides by the number of pixels that are not ignored. 'all' divides by
            the number of all pixels, as FixMatch does: few confident pixels then weigh little.

    Raises:
        ValueError: Unless 0 < ``bg_weight`` <= 1 or it is 'auto', or for another ``mean_over``.
    """

    def __init__(self, bg_weight: float | str = 0.5, mean_over: str = 'valid') -> None:
        super().__init__()
        if bg_weight != 'auto' and (isinstance(bg_weight, str) or not 0 < bg_weight <= 1):
            raise ValueError(
                f'bg_weight={bg_weight!r} weights the background: give a number in (0, 1], or auto'
            )
        if mean_over not in ('valid', 'all'):
            raise ValueError(f"mean_over={mean_over!r}: choose 'valid' or 'all'")
        self.bg_weight, self.mean_over = bg_weight, mean_over

    @property
    def min_bg_weight(self) -> float:
        """The smallest w that can occur."""
        return MIN_AUTO if isinstance(self.bg_weight, str) else self.bg_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over pixels, see ``mean_over``; a differentiable 0 if there are none.

        Args:
            logits: (B, 1, H, W).
            target: Like ``logits``, in [0, 1]; a negative value is ignored.

        Raises:
            ValueError: If the shapes differ.
        """
        if logits.shape != target.shape:
            raise ValueError(
                f'logits {tuple(logits.shape)} against masks {tuple(target.shape)}: '
                'masks must have the size of the slices'
            )
        valid = target >= 0
        foreground = valid * target
        background = valid * (1 - target)
        weight = self._weight(foreground, background)
        terms = foreground * F.softplus(-logits) + weight * background * F.softplus(logits)
        counted = valid if self.mean_over == 'valid' else torch.ones_like(valid)
        return terms.sum() / counted.sum().clamp(min=1)  # Eqs. (11), (12)

    def lower_bound(self, target: Tensor) -> Tensor:
        """Return the smallest value that this loss can take: above 0 for soft labels, else 0.

        Args:
            target: (B, 1, H, W) in [0, 1]; a negative value is ignored.
        """
        valid = target >= 0
        weight = self._weight(valid * target, valid * (1 - target))
        bound = bce_lower_bound(target, weight)
        return bound * valid.sum() / valid.numel() if self.mean_over == 'all' else bound

    def _weight(self, foreground: Tensor, background: Tensor) -> Tensor | float:
        if not isinstance(self.bg_weight, str):
            return self.bg_weight
        return (foreground.sum() / background.sum().clamp(min=1)).clamp(MIN_AUTO, 1)


def bce_lower_bound(target: Tensor, bg_weight: Tensor | float = 1.0) -> Tensor:
    """Return the smallest weighted cross entropy, the mean over the pixels that are not ignored.

    The best logit of a label y gives the probability y / (y + w (1 - y)).

    Args:
        target: Labels in [0, 1]; a negative value is ignored.
        bg_weight: w of Eq. (11).
    """
    y = target[target >= 0].double()
    best = y / (y + bg_weight * (1 - y))
    terms = torch.special.xlogy(y, best) + bg_weight * torch.special.xlogy(1 - y, 1 - best)
    return (-terms.sum() / max(len(y), 1)).to(target.dtype)
