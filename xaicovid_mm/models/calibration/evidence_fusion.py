"""Calibration of the pseudo label in the word's sense: a posterior that is fitted on true masks."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor, nn
from torch.nn import functional as F

from ...explain.pseudo_labeler import SOURCES
from ...registry import MODELS
from ...utils.overlap import mask_dice

PROB = SOURCES.index('prob')
DECODER = tuple(name == 'prob' for name in SOURCES)
EPS = 1e-4
"""Maps are kept this far from 0 and 1 before their logit is taken."""
FIT_PIXELS = 200_000
"""With more pixels, an evenly spaced choice of so many is fitted."""
AS_IT_IS = 'decoder as it is'
MARGIN = 0.02
"""Gain in Dice of patients left out from which on the decoder is changed: few patients are fitted
on, and what gains less there may lose on others."""
CUTS = 400
"""Number of thresholds, evenly spaced among the scores, of which the best is taken."""
RIDGE = 1e-3
"""Weight of the squared weights, so that sources which say the same share the weight."""


class Posterior(NamedTuple):
    """A fitted posterior: sigmoid(weights . logits + offset), and Dice on patients left out."""

    weights: Sequence[float]
    offset: float
    dice: float


@MODELS.register_module()
class EvidenceFusion(nn.Module):
    """Fuse the maps by a logistic posterior, in the place of Eqs. (8) and (9); not in the paper.

    The label is sigmoid((sum_k w_k logit(m_k) + b) / T) over the class map, the blurred saliency,
    the decoder and the slice's probability of COVID-19. ``fit`` finds w >= 0 and b on slices with
    true masks. So a map counts for as much as it knows, one that knows nothing has the weight 0,
    and a decoder that is sure is hardly overruled. The offset moves the threshold of the best Dice
    to 0.5. Until it is fitted, and where the other maps do not help, it is the decoder alone.

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
        self.used = np.array([name in sources for name in SOURCES])
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
        return torch.sigmoid(posterior / self.temperature)  # sharpened, of two classes

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

        Patients are left out of the fit in turn. All maps are used only if that is better for the
        patients left out than the decoder alone, and the decoder is only changed if that is better
        for them, by ``MARGIN``, than the decoder as it is. "Better" is the mean Dice of infected
        patients. The threshold of a few patients may not suit others, so all maps may also keep the
        decoder's level: they then decide which pixels are infected, and the decoder how many.

        Args:
            logits: (N, 4), of pixels inside the lungs, as ``logits`` gives them.
            masks: (N,) bool, infection.
            patients: (N,) names.

        Returns:
            What was fitted, in words.
        """
        names = np.asarray(patients)
        infected = [names == name for name in np.unique(names[masks])]
        if not infected:
            self.weights, self.offset = [float(counts) for counts in DECODER], 0.0
            return 'no slice to fit on shows infection, so the decoder labels alone, uncalibrated'
        fits = _candidates(logits, masks, infected, self.used)
        best = _best(fits)
        self.weights, self.offset = [float(w) for w in fits[best].weights], fits[best].offset
        return _summary(fits, best)

    def background_floor(self) -> float:
        """Return the soft label of a pixel that every map calls background, after the fit."""
        return 0.0


def _candidates(
    logits: np.ndarray, masks: np.ndarray, infected: Sequence[np.ndarray], used: np.ndarray
) -> dict[str, Posterior]:
    """Fits by name, the simplest last; arguments as in ``_fit``."""
    as_it_is = Posterior(DECODER, 0.0, _mean_dice(logits[:, PROB], masks, infected))
    if len(infected) == 1:  # nobody is left to check the others on
        return {AS_IT_IS: as_it_is}
    every = used & (np.ptp(logits, axis=0) > 1e-6)  # a std rounds to more
    pixels = logits, masks, infected
    return {
        'all maps': _fit(*pixels, every, _best_offset),
        'all maps at the level of the decoder': _fit(*pixels, every, _level_of_decoder),
        'decoder': _fit(*pixels, np.array(DECODER), _best_offset),
        AS_IT_IS: as_it_is,
    }


def _best(fits: dict[str, Posterior]) -> str:
    """The fit of the best Dice, of equals the simplest, if it gains ``MARGIN``."""
    best = max(reversed(fits), key=lambda name: fits[name].dice)
    return best if fits[best].dice >= fits[AS_IT_IS].dice + MARGIN else AS_IT_IS


def _summary(fits: dict[str, Posterior], best: str) -> str:
    weights, offset, _ = fits[best]
    shares = ', '.join(f'{k} {w:.2f}' for k, w in zip(SOURCES, weights, strict=True))
    dice = ', '.join(f'{name} {fit.dice:.3f}' for name, fit in fits.items())
    return f'{best}: weights {shares}, offset {offset:.2f}; Dice of patients left out: {dice}'


def _fit(
    logits: np.ndarray,
    masks: np.ndarray,
    patients: Sequence[np.ndarray],
    used: np.ndarray,
    offset_of: Callable[..., float],
) -> Posterior:
    """Fit on all pixels; the Dice is the mean over patients, each left out in turn.

    Args:
        logits: (N, 4).
        masks: (N,) bool.
        patients: The pixels (N,) bool of each infected patient, of two or more.
        used: (4,) bool, the sources that may have a weight.
        offset_of: ``_best_offset`` or ``_level_of_decoder``.
    """
    dice = []
    for out in patients:
        weights = _weights(logits[~out], masks[~out], used)
        rest = [one[~out] for one in patients if one is not out]
        offset = offset_of(weights, logits[~out], masks[~out], rest)
        dice.append(mask_dice(logits[out] @ weights + offset > 0, masks[out]))
    weights = _weights(logits, masks, used)
    offset = offset_of(weights, logits, masks, patients)
    return Posterior(tuple(weights), offset, float(np.mean(dice)))


def _weights(logits: np.ndarray, masks: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Weights (4,) >= 0 of a logistic regression; 0 for sources that are not used."""
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
    weights = np.zeros(len(SOURCES))
    weights[columns] = minimize(loss, start, jac=True, bounds=bounds, method='L-BFGS-B').x[:-1]
    return weights


def _best_offset(
    weights: np.ndarray, logits: np.ndarray, masks: np.ndarray, patients: Sequence[np.ndarray]
) -> float:
    """The offset that puts the threshold of the best mean Dice of these patients at 0."""
    scores = logits @ weights
    cuts = np.unique(np.quantile(scores, np.linspace(0, 1, CUTS)))
    dice = [_mean_dice(scores - cut, masks, patients) for cut in cuts]
    return -float(cuts[int(np.argmax(dice))])


def _level_of_decoder(
    weights: np.ndarray, logits: np.ndarray, masks: np.ndarray, patients: Sequence[np.ndarray]
) -> float:
    """The offset that calls as many pixels of these patients infected as the decoder does."""
    inside = np.any(patients, axis=0)
    scores, decoder = logits[inside] @ weights, logits[inside, PROB]
    return -float(np.quantile(scores, np.mean(decoder <= 0)))


def _mean_dice(scores: np.ndarray, masks: np.ndarray, patients: Sequence[np.ndarray]) -> float:
    """Mean over patients of the Dice of the pixels whose score is above 0."""
    return float(np.mean([mask_dice(scores[one] > 0, masks[one]) for one in patients]))
