"""Whether to lean on the maps of a scan: how far they agree with the mask, inside the lungs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...evaluation.classification_scores import roc_auc
from ...evaluation.map_shares import map_shares

NEAR_CHANCE = 0.6
"""An AUC below this, or an interval that begins there, is called chance, which is 0.5."""


def map_trust(
    maps: Mapping[str, np.ndarray],
    *,
    infection: np.ndarray,
    lung: np.ndarray,
    validation: Mapping[str, dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Measure the maps of N slices, and say whether to lean on them. Not in the paper.

    Args:
        maps: uint8 (N, H, W) by name.
        infection: bool (N, H, W), the predicted mask.
        lung: bool (N, H, W).
        validation: AUC of maps on validation patients, see ``measured_maps``.

    Returns:
        For each map what ``map_shares`` gives; ``auc``, how well its values tell infected
        from other pixels of the lungs, all slices together (0.5 is chance; None where there is only
        one kind); ``validation``, that of validation patients or None; and ``advice``.
    """
    shares = map_shares(dict(maps), infection=infection, lung=lung)
    trust = {}
    for name, values in maps.items():
        auc, known = pixel_auc(values[lung], infection[lung]), validation.get(name)
        trust[name] = {
            **shares[name],
            'auc': None if auc is None else round(auc, 4),
            'validation': known,
            'advice': _nothing_to_compare(infection) if auc is None else _advice(auc, known),
        }
    return trust


def pixel_auc(values: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve of pixels, ties counted half.

    Args:
        values: uint8 (P,).
        positive: bool (P,).

    Returns:
        In [0, 1]; None if all pixels are of one kind.
    """
    if positive.all() or not positive.any():
        return None
    return roc_auc(*(np.bincount(values[kind], minlength=256) for kind in (positive, ~positive)))


def _nothing_to_compare(infection: np.ndarray) -> str:
    if not len(infection):
        return 'No slice has this map (--explain 0): there is nothing to compare.'
    if infection.any():
        return 'All of the lung is infected in these slices: there is nothing to compare it with.'
    return 'No infection was segmented in these slices: there is nothing to compare it with.'


def _advice(auc: float, validation: dict[str, Any] | None) -> str:
    if auc < NEAR_CHANCE:
        return 'Do not lean on it: in this scan it finds the infection no better than chance.'
    if validation is None:
        return (
            'It agrees with the mask here, but its worth on validation patients was not measured: '
            'take it as a hint only.'
        )
    if validation['value'] < NEAR_CHANCE:
        return 'Do not lean on it: on the validation patients it was no better than chance.'
    if validation['low'] is None:
        return (
            'It agrees with the mask here, but too few validation patients have an infection to '
            'know its worth: take it as a hint only.'
        )
    if validation['low'] < NEAR_CHANCE:
        return (
            'It agrees with the mask here, but what it was worth on the validation patients could '
            f'be chance: its interval begins at {validation["low"]:.2f}. Take it as a hint only.'
        )
    return 'It agreed with the mask here and on the validation patients: it shows where to look.'
