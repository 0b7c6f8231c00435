"""Calibration of the pseudo label, Eqs. (8)-(10)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...registry import MODELS


@MODELS.register_module()
class SharpenCombination(nn.Module):
    """Fuse three infection maps into one soft pseudo mask, Eqs. (8)-(10).

    Each map m in [0, 1] becomes the pair (1 - m, m) of background and infection. The Softmax of
    Eq. (8) and the sum of Eq. (10) run over that pair.

    Note:
        Eq. (9) leaves the range of its sum open. With a sum over a whole slice the norm is so large
        that every label becomes 0.50. Our default is the root *mean* square of a slice.

    Args:
        weights: (lambda, mu, nu) of Eq. (8), for caam, saliency and prob. The paper's values sum
            to 1.1. We divide by the sum, which Eq. (10) would cancel anyway. A map of weight 0 is
            left out of the norm as well.
        temperature: T of Eq. (10), above 0; a value below 1 sharpens.
        norm: Range of Eq. (9): 'image_rms' (default), 'batch_rms' (PseudoSeg's code),
            'pixel_l2' (over the maps and classes of one pixel), 'image_l2' (the literal sum),
            or 'none'.
        p_form: The decoder's pair: 'prob' (1 - p, p), 'logit' (-z/2, z/2) or 'logit0' (0, z), where
            z is the logit of p.
        stretch: Stretch the labels of a slice, so that a pixel which every map calls background is
            labelled 0 and its opposite 1. Literally Eq. (8) leaves such a pixel at 0.06 or more,
            and as nearly all pixels are background, that floor is most of what L_u teaches. 0.5
            stays 0.5. Not in the paper.

    Raises:
        ValueError: For negative or all-zero weights, a temperature not above 0, another
            ``norm`` or ``p_form``.
    """

    def __init__(
        self,
        weights: Sequence[float] = (0.3, 0.4, 0.4),
        temperature: float = 0.5,
        norm: str = 'image_rms',
        p_form: str = 'prob',
        stretch: bool = True,
    ) -> None:
        super().__init__()
        if len(weights) != 3 or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f'weights={tuple(weights)}: give three numbers >= 0, not all 0')
        if temperature <= 0:
            raise ValueError(f'temperature={temperature} must be above 0')
        for name, value, known in (('norm', norm, _NORMS), ('p_form', p_form, _P_FORMS)):
            if value not in known:
                raise ValueError(f'{name}={value!r}: choose one of {sorted(known)}')
        self.weights = [weight / sum(weights) for weight in weights]
        self.temperature = temperature
        self.norm = norm
        self.p_form = p_form
        self.stretch = stretch

    def forward(
        self, caam: Tensor, saliency: Tensor, prob: Tensor, covid: Tensor | None = None
    ) -> Tensor:
        """Return the soft mask (B, 1, H, W) in [0, 1] of three maps (B, 1, H, W) in [0, 1].

        Args:
            caam: CAAM_l.
            saliency: Of the slice.
            prob: The decoder's.
            covid: The slice's probability (B,) of COVID-19; not read here.
        """
        maps = self._pairs(caam, saliency, prob)
        norm = _NORMS[self.norm](maps).clamp(min=1e-8)
        mask = self._combine(maps, norm)
        if not self.stretch:
            return mask
        none = torch.zeros_like(prob)
        floor = self._combine(self._pairs(none, none, none), norm)
        return ((mask - floor) / (1 - 2 * floor)).clamp(0, 1)

    def _pairs(self, *maps: Tensor) -> Tensor:
        """Pairs of background and infection of the maps that count: (S, B, 2, H, W)."""
        forms = (_pair, _pair, _P_FORMS[self.p_form])
        every = zip(self.weights, forms, maps, strict=True)
        return torch.stack([form(values) for weight, form, values in every if weight])

    def _combine(self, pairs: Tensor, norm: Tensor) -> Tensor:
        votes = torch.softmax(pairs / norm, dim=2)
        weights = votes.new_tensor([weight for weight in self.weights if weight])
        fused = torch.einsum('s,sbchw->bchw', weights, votes)  # Eq. (8)
        return sharpen(fused, self.temperature)[:, 1:]

    def background_floor(self) -> float:
        """Return the soft label of a pixel that every map calls background; 0 when stretched."""
        nothing = torch.zeros(1, 1, 8, 8)
        return self(nothing, nothing, nothing).max().item()


def sharpen(prob: Tensor, temperature: float) -> Tensor:
    """Raise probabilities (B, C, H, W) to the power 1 / T and divide by their sum over C."""
    return torch.softmax(prob.log() / temperature, dim=1)  # Eq. (10)


def _pair(maps: Tensor) -> Tensor:
    return torch.cat((1 - maps, maps), dim=1)


def _halves(prob: Tensor) -> Tensor:
    z = torch.logit(prob, eps=1e-6)
    return torch.cat((-z / 2, z / 2), dim=1)


def _zero_and_logit(prob: Tensor) -> Tensor:
    z = torch.logit(prob, eps=1e-6)
    return torch.cat((torch.zeros_like(z), z), dim=1)


_P_FORMS = {'prob': _pair, 'logit': _halves, 'logit0': _zero_and_logit}
_NORMS = {  # Eq. (9), by the range of its sum; maps are S B 2 H W
    'image_rms': lambda m: (m.square().mean((0, 2, 3, 4), keepdim=True) + 1e-8).sqrt(),
    'batch_rms': lambda m: (m.square().mean() + 1e-8).sqrt(),
    'pixel_l2': lambda m: m.square().sum((0, 2), keepdim=True).sqrt(),
    'image_l2': lambda m: m.square().sum((0, 2, 3, 4), keepdim=True).sqrt(),
    'none': lambda m: m.new_ones(()),
}
