"""Calibration of the pseudo label in the word's sense: a posterior that is fitted on true masks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS

SOURCES = ('caam', 'saliency', 'prob', 'covid')
DECODER = (False, False, True, False)
EPS = 1e-4
"""Maps are kept this far from 0 and 1 before their logit is taken."""
FIT_PIXELS = 200_000
"""With more pixels, an evenly spaced choice of so many is fitted."""
RIDGE = 1e-3
"""Weight of the squared weights, so that sources which say the same share the weight."""


class Fit(NamedTuple):
    """A fitted posterior: sigmoid(weights . logits + offset), and Dice on patients left out."""

    weights: tuple[float, ...]
    offset: float
    dice: float


@MODELS.register_module()
class EvidenceFusion(nn.Module):
    """Fuse the maps by a logistic posterior, in the place of Eqs. (8) and (9); not in the paper.

    The label is sigmoid((sum_k w_k logit(m_k) + b) / T) over the class map, the blurred saliency,
    the decoder and the slice's probability of COVID-19. ``fit`` finds w >= 0 and b on slices with
    true masks. So a map counts for as much as it knows, one that knows nothing has the weight 0,
    and a decoder that is sure is hardly overruled. The offset moves the threshold of the best Dice
    to 0.5.

    Until it is fitted, and where the other maps do not help, it is the decoder alone.

    Args:
        temperature: T of Eq. (10), above 0; a value below 1 sharpens.
        blur: Side of the box that smooths the saliency, as a share of the slice's side.
        sources: Which of the sources may count, the decoder's 'prob' among them.

    Attributes:
        weights: w of caam, saliency, prob and covid.
        offset: b.

    Raises:
        ValueError: For a temperature not above 0, ``blur`` outside [0, 1), or ``sources`` without
            'prob' or with an unknown name.
    """

    def __init__(
        self, temperature: float = 0.5, blur: float = 0.06, sources: Sequence[str] = SOURCES
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature={temperature} must be above 0')
        if not 0 <= blur < 1:
            raise ValueError(f'blur={blur} is a share of the side of a slice: give one in [0, 1)')
        if 'prob' not in sources or set(sources) - set(SOURCES):
            raise ValueError(f"sources={tuple(sources)}: choose of {SOURCES}, with 'prob'")
        self.temperature, self.blur = temperature, blur
        self.sources = tuple(sources)
        self.weights: list[float] = [float(counts) for counts in DECODER]
        self.offset = 0.0

    def forward(
        self, caam: Tensor, saliency: Tensor, prob: Tensor, covid: Tensor | None = None
    ) -> Tensor:
        """Return the soft mask (B, 1, H, W) in (0, 1) of three maps (B, 1, H, W) in [0, 1].

        Args:
            caam: A class map.
            saliency: Of the slice.
            prob: The decoder's.
            covid: The slice's probability (B,) of COVID-19; without it that weight counts nothing.
        """
        logits = self.logits(caam, saliency, prob, covid)
        weights = logits.new_tensor(self.weights)
        posterior = torch.einsum('k,bkhw->bhw', weights, logits)[:, None] + self.offset
        return torch.sigmoid(posterior / self.temperature)  # Eq. (10) of two classes

    def logits(
        self, caam: Tensor, saliency: Tensor, prob: Tensor, covid: Tensor | None = None
    ) -> Tensor:
        """Return what is weighted, as logits (B, 4, H, W); arguments as in ``forward``."""
        side = int(self.blur * prob.shape[-1]) | 1
        smooth = F.avg_pool2d(saliency, side, 1, side // 2)
        if covid is None:
            covid = torch.full_like(prob[:, 0, 0, 0], 0.5)
        flat = covid[:, None, None, None].expand_as(prob)
        return torch.logit(torch.cat((caam, smooth, prob, flat), dim=1).float(), eps=EPS)

    def fit(self, logits: np.ndarray, masks: np.ndarray, patients: Sequence[str]) -> str:
        """Find weights and offset on pixels with a true mask.

        All maps are used only if that is no worse than the decoder on patients who are left out of
        the fit in turn.

        Args:
            logits: (N, 4), of pixels inside the lungs, as ``logits`` gives them.
            masks: (N,) bool, infection.
            patients: (N,) names.

        Returns:
            What was fitted, in words.
        """
        names = np.asarray(patients)
        infected = [name for name in np.unique(names) if masks[names == name].any()]
        if not infected:
            self.weights, self.offset = [float(counts) for counts in DECODER], 0.0
            return 'no slice to fit on shows infection, so the decoder labels alone, uncalibrated'
        varies = (logits.std(0) > 1e-6) & np.isin(SOURCES, self.sources)
        every = _fit(logits, masks, names, infected, tuple(varies))
        decoder = _fit(logits, masks, names, infected, DECODER)
        best = every if len(infected) > 1 and every.dice >= decoder.dice else decoder
        self.weights, self.offset = list(best.weights), best.offset
        shares = ', '.join(f'{k} {w:.2f}' for k, w in zip(SOURCES, self.weights, strict=True))
        checked = (
            f'Dice of patients left out {every.dice:.3f}, of the decoder {decoder.dice:.3f}'
            if len(infected) > 1
            else 'one infected patient, so the other maps cannot be checked and are left out'
        )
        return f'weights {shares}, offset {self.offset:.2f}; {checked}'

    def background_floor(self) -> float:
        """Return the soft label of a pixel that every map calls background, after the fit."""
        return 0.0


def _fit(
    logits: np.ndarray,
    masks: np.ndarray,
    names: np.ndarray,
    infected: Sequence[str],
    used: Sequence[bool],
) -> Fit:
    """Fit on all patients; the Dice is the mean over infected patients, each left out in turn."""
    dice = []
    for name in infected if len(infected) > 1 else ():
        out = names == name
        weights, offset = _posterior(logits[~out], masks[~out], used)
        dice.append(_dice(logits[out] @ weights + offset > 0, masks[out]))
    weights, offset = _posterior(logits, masks, used)
    return Fit(tuple(weights), offset, float(np.mean(dice)) if dice else 0.0)


def _posterior(
    logits: np.ndarray, masks: np.ndarray, used: Sequence[bool]
) -> tuple[np.ndarray, float]:
    """Weights >= 0 of the sources that are used, and the offset that puts the best Dice at 0."""
    columns = np.flatnonzero(used)
    step = max(len(masks) // FIT_PIXELS, 1)
    x, y = logits[::step, columns].astype(np.float64), masks[::step].astype(np.float64)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ theta[:-1] + theta[-1]
        value = np.mean(np.logaddexp(0, z) - y * z) + RIDGE * np.sum(theta[:-1] ** 2) / 2
        gap = expit(z) - y
        slope = np.append(x.T @ gap / len(y) + RIDGE * theta[:-1], gap.mean())
        return float(value), slope

    start = np.append(np.full(len(columns), 1 / len(columns)), 0.0)
    bounds = [(0, None)] * len(columns) + [(None, None)]
    theta = minimize(loss, start, jac=True, bounds=bounds, method='L-BFGS-B').x
    weights = np.zeros(len(SOURCES))
    weights[columns] = theta[:-1]
    return weights, -_best_threshold(logits @ weights, masks)


def _best_threshold(scores: np.ndarray, masks: np.ndarray) -> float:
    """The score above which pixels must be called infection for the best Dice."""
    order = np.argsort(-scores, kind='stable')
    hits = np.cumsum(masks[order])
    dice = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores go together
    best = int(np.argmax(np.where(last, dice, -1)))
    below = scores[order[best + 1]] if best + 1 < len(order) else scores[order[best]] - 1
    return float(scores[order[best]] + below) / 2


def _dice(predicted: np.ndarray, masks: np.ndarray) -> float:
    return float(2 * (predicted & masks).sum() / max(predicted.sum() + masks.sum(), 1))
