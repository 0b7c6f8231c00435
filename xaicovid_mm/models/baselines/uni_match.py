"""UniMatch (Yang et al., 2023): two strong views and dropped features; ``UniMatchHook`` labels."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ...registry import MODELS
from ...structures import CTSample
from ..multi_task_model import MultiTaskModel, rows_of, rows_with


@MODELS.register_module()
class UniMatchModel(MultiTaskModel):
    """A multi-task model that also learns the weak views with part of their features dropped.

    Strong views, whose labels are the ``pseudo_mask``, and weak views, whose labels are the
    ``weak_mask``, each have half of the weight eta. As published, both strong views together
    weigh as much as the dropped features.

    Args:
        drop: Share of the channels of each map that is dropped from the weak views; 0.5 as
            published.
        **kwargs: As in ``MultiTaskModel``.

    Raises:
        ValueError: As ``MultiTaskModel``, or unless 0 < drop < 1.
    """

    def __init__(self, drop: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < drop < 1:
            raise ValueError(f'drop={drop} must lie in (0, 1)')
        self.drop = nn.Dropout2d(drop)

    def loss_terms(
        self,
        feats: Sequence[Tensor],
        data_samples: list[CTSample],
        inside: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms of ``MultiTaskModel``, ``loss_u`` halved, and ``loss_drop``."""
        losses = super().loss_terms(feats, data_samples, inside)
        if rows := rows_with('weak_mask', data_samples):
            dropped = [self.drop(f) for f in rows_of(feats, rows)]
            weak = [data_samples[i] for i in rows]
            half = self.loss_weights['eta'] / 2
            losses['loss_u'] = losses['loss_u'] / 2
            losses |= self._segmentation_terms('weak_mask', half, dropped, weak, name='drop')
        return losses
