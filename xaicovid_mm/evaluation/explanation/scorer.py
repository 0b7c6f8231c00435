"""Explain slices by several maps and score each map."""

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from ...explain.explainers import (
    BlankExplainer,
    Explainer,
    IntensityExplainer,
    RandomExplainer,
)
from ...explain.protocols import ExplainableModel
from ...utils.model import eval_mode
from .scored_batch import Row, ScoredBatch, Targets

PARTS = ('localisation', 'agreement', 'faithfulness', 'sanity', 'stability')
"""What can be scored, see the methods of ``ScoredBatch``; the first two are cheap."""
REFERENCE_MAPS: dict[str, Explainer] = {
    'blank': BlankExplainer(),
    'intensity': IntensityExplainer(),
    'random': RandomExplainer(),
}
"""Maps that know nothing of the network; each map is read beside them."""


class ExplanationScorer:
    """Score the maps of a network on slices. Not in the paper.

    No weight, gradient, running statistic or global random state changes.

    Args:
        explainers: By the name of the map. ``REFERENCE_MAPS`` are scored besides, as far as they
            can be.
        parts: Of ``PARTS``.
        seed: Of all that is drawn.

    Raises:
        ValueError: For an unknown part, no map, or a map named like one of ``REFERENCE_MAPS``.
    """

    def __init__(
        self, explainers: Mapping[str, Explainer], parts: Sequence[str], seed: int = 0
    ) -> None:
        if unknown := sorted(set(parts) - set(PARTS)):
            raise ValueError(f'parts names {unknown}: choose of {PARTS}')
        if not explainers or (taken := sorted(explainers.keys() & REFERENCE_MAPS.keys())):
            names = taken if explainers else 'no map'
            raise ValueError(
                f'maps has {names}: name at least one, and none like {[*REFERENCE_MAPS]}'
            )
        self.explainers, self.parts, self.seed = explainers, parts, seed

    def __call__(
        self,
        model: ExplainableModel,
        images: Tensor,
        lung: Tensor,
        labels: Tensor,
        targets: Targets,
    ) -> list[list[Row]]:
        """Return, for each slice, a row for each map: ``map``, ``status`` and its scores.

        A score that is undefined is not in the row. See ``ScoredBatch``.

        Args:
            model: The network, without any distributed wrapper.
            images: (B, 1, H, W) in [0, 1], 0 outside the lungs.
            lung: bool (B, 1, H, W), the pixels that maps are scored on.
            labels: (B,), the class that is explained.
            targets: Masks that maps may lie on.
        """
        explainers, own = {**self.explainers, **REFERENCE_MAPS}, [*self.explainers]
        with eval_mode(cast(nn.Module, model)):
            batch = ScoredBatch(model, explainers, own, images, lung, labels, targets, self.seed)
            for part in PARTS:
                if part in self.parts:
                    getattr(batch, part)()
        return [[rows[i] for rows in batch.rows.values()] for i in range(len(images))]
