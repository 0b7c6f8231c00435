"""Make healthy slices of sick patients."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from ...classes import COVID, NP
from ...registry import TRANSFORMS


@TRANSFORMS.register_module()
class KeepOneLung(BaseTransform):
    """Set one lung of a labelled slice to 0; the class becomes what the other lung shows.

    Where COVID-19 and NP come from different sources, a classifier can tell them apart without any
    lesion, and then its maps show none. A lung without lesion of a COVID-19 patient, labelled NP,
    is a counter-example from the same source. Not in the paper; PseudoSeg too takes the class of an
    image from its mask.

    Args:
        prob: Probability that one lung is set to 0.
        min_lung_px: Keep both lungs if the one that is left would have fewer pixels.
        min_infection_px: A COVID-19 slice that is left with fewer infected pixels, but with some,
            loses its class.
    """

    def __init__(
        self, prob: float = 0.5, min_lung_px: int = 150, min_infection_px: int = 12
    ) -> None:
        self.prob, self.min_lung_px, self.min_infection_px = prob, min_lung_px, min_infection_px

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``image``, ``lung``, ``infection`` (H, W) and ``label`` of a labelled slice."""
        rng, lung = results['rng'], results['lung']
        if not results['is_labelled'] or lung is None or rng.random() >= self.prob:
            return results
        columns = np.flatnonzero(lung.any(0))
        if not len(columns):
            return results
        right = np.arange(lung.shape[1]) < (columns[0] + columns[-1]) // 2
        side = right if rng.random() < 0.5 else ~right
        if (lung & side).sum() >= self.min_lung_px:
            for name in ('image', 'lung', 'infection'):
                if results[name] is not None:
                    results[name] = results[name] * side
            results['label'] = self._label(results)
        return results

    def _label(self, results: dict[str, Any]) -> int | None:
        if results['label'] != COVID or results['infection'] is None:
            return results['label']
        pixels = int(results['infection'].sum())
        if pixels == 0:
            return NP
        return COVID if pixels >= self.min_infection_px else None
