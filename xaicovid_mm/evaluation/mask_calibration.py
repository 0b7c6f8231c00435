"""How well the probability of infection in a pixel matches how often it is infected.

Not in the paper.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from .calibration_error import calibration_error, equal_mass_bins
from .slice_scores import Rows
from .temperature_scaling import RANGE

FINE = 50
"""Intervals of equal width over [0, 1] that a slice is stored in."""
COARSE = 10
"""Intervals of the calibration error; ``FINE`` is a multiple. Of the adaptive one: most of equal
mass."""
COLUMN = 'bins'
"""Column of the rows of ``InfectionMetric``."""


def bins_text(prob: np.ndarray, true: np.ndarray) -> str:
    """Return the pixels of a slice by probability, as one cell of a table.

    Args:
        prob: (N,) probabilities of infection of the pixels that count, in [0, 1].
        true: bool (N,), whether they are infected.

    Returns:
        ``interval:pixels:infected:sum of probabilities`` of each of ``FINE`` that is not empty.
    """
    bin_of = np.minimum((prob * FINE).astype(int), FINE - 1)
    pixels, infected, said = (np.bincount(bin_of, w, FINE) for w in (None, true, prob))
    return ' '.join(
        f'{k}:{int(pixels[k])}:{int(infected[k])}:{said[k]:.3f}' for k in np.flatnonzero(pixels)
    )


def mask_calibration(rows: Rows) -> dict[str, Any] | None:
    """Measure the calibration error of masks, before and after a temperature, by level.

    The temperature divides the logits of pixels and is fitted by their log-likelihood, all pixels
    of an interval at their mean. Errors after it are of patients left out of its fit.

    Args:
        rows: Rows of ``InfectionMetric``.

    Returns:
        ``temperature`` and ``number`` of patients with pixels, and for ``slice``, ``patient`` and
        ``pooled`` the expected error ``ece_before`` and ``ece_after`` (mean over slices, mean over
        patients, pixels of all), the adaptive ``ace_before`` and ``ace_after``; all in [0, 1];
        ``reliability``: pooled (probability, share infected, pixels) of each coarse interval that
        is not empty. Slices without pixels do not count. None if no row has bins, as of earlier
        versions, or a single patient has.
    """
    rows = [row for row in rows if row.get(COLUMN)]
    if not rows:
        return None
    slices = np.array([_read(row[COLUMN]) for row in rows])  # N 3 FINE
    names, owner = np.unique([row['patient'] for row in rows], return_inverse=True)
    if len(names) < 2:
        return None
    patients = np.array([slices[owner == k].sum(0) for k in range(len(names))])
    whole = patients.sum(0)
    temperatures = [_temperature(whole - own) for own in patients]
    scaled_patients = np.array(
        [_scaled(own, t) for own, t in zip(patients, temperatures, strict=True)]
    )
    scaled = np.array([_scaled(own, temperatures[k]) for own, k in zip(slices, owner, strict=True)])
    levels = dict(
        slice=(slices, scaled),
        patient=(patients, scaled_patients),
        pooled=(whole[None], scaled_patients.sum(0)[None]),
    )
    return dict(
        temperature=_temperature(whole),
        number=len(names),
        reliability=_reliability(whole),
        **{name: _errors(*pair) for name, pair in levels.items()},
    )


def _read(text: str) -> np.ndarray:
    counts = np.zeros((3, FINE))
    for cell in text.split():
        number, *values = cell.split(':')
        counts[:, int(number)] = [float(value) for value in values]
    return counts


def _temperature(counts: np.ndarray) -> float:
    """The temperature in ``RANGE`` of the lowest negative log-likelihood of pixels (3, FINE)."""
    pixels, infected, _ = counts
    logits = _logits(counts)

    def cost(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((pixels * np.logaddexp(0, scaled) - infected * scaled).sum())

    best = minimize_scalar(cost, bounds=np.log(RANGE), method='bounded')
    return float(np.exp(best.x))


def _logits(counts: np.ndarray) -> np.ndarray:
    """Of the mean probability of each interval."""
    pixels, _, said = counts
    return logit(np.clip(said / np.maximum(pixels, 1), 1e-6, 1 - 1e-6))


def _scaled(counts: np.ndarray, temperature: float) -> np.ndarray:
    pixels, infected, _ = counts
    return np.stack([pixels, infected, pixels * expit(_logits(counts) / temperature)])


def _errors(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    return {
        f'{kind}_{when}': float(np.mean([error(counts) for counts in stack if counts[0].any()]))
        for kind, error in (('ece', _expected), ('ace', _adaptive))
        for when, stack in (('before', before), ('after', after))
    }


def _expected(counts: np.ndarray) -> float:
    coarse = counts.reshape(3, COARSE, -1).sum(2)
    return calibration_error(coarse[1] - coarse[2], coarse[0])


def _adaptive(counts: np.ndarray) -> float:
    """The same over intervals of about equal numbers of pixels, of whole fine intervals."""
    pixels, infected, said = counts
    gaps = np.bincount(equal_mass_bins(pixels, COARSE), infected - said)
    return calibration_error(gaps, pixels)


def _reliability(counts: np.ndarray) -> list[tuple[float, float, int]]:
    coarse = counts.reshape(3, COARSE, -1).sum(2).T
    return [(said / n, infected / n, int(n)) for n, infected, said in coarse.tolist() if n]
