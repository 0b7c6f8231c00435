"""PseudoSeg (Zou et al., 2021) on any of our networks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...classes import COVID
from ...explain.grad_cam import grad_cam
from ...registry import MODELS
from ...structures import CTSample
from ..multi_task_model import MultiTaskModel, rows_of, rows_with


@MODELS.register_module()
class PseudoSegModel(MultiTaskModel):
    """A multi-task model with a refined Grad-CAM as a second, coarse segmentation.

    It adds ``loss_sa``, the cross entropy of the refined Grad-CAM on slices with a mask, with the
    weight of L_s.

    Args:
        refiner: Config of the ``GradCAMRefiner``.
        **kwargs: As in ``MultiTaskModel``, both heads included.

    Raises:
        ValueError: If a head is missing.
    """

    def __init__(self, refiner: dict, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.cls_head is None or self.decode_head is None:
            raise ValueError('PseudoSeg needs a cls_head and a decode_head: give both')
        self.refiner = MODELS.build(refiner)

    def refine(self, feats: Sequence[Tensor], present: Tensor) -> Tensor:
        """Logits (B, 2, h, w) of background and infection, from explanation alone.

        Args:
            feats: The backbone's maps, the last (B, K, h, w).
            present: (B,), 1 where the slice shows COVID-19; elsewhere there is no evidence.
        """

        def classify(last: Tensor) -> Tensor:
            return self.cls_head([*(f.detach() for f in feats[:-1]), last])

        evidence = grad_cam(classify, feats[-1], COVID)
        return self.refiner(feats, evidence * present[:, None, None, None])

    def losses_of(self, feats: Sequence[Tensor], data_samples: list[CTSample]) -> dict[str, Tensor]:
        """The terms of ``MultiTaskModel`` and ``loss_sa``."""
        losses = super().losses_of(feats, data_samples)
        if rows := rows_with('infection', data_samples):
            masks = torch.stack([data_samples[i].infection for i in rows]).to(feats[0])
            logits = self.refine(rows_of(feats, rows), masks.amax((1, 2, 3)))
            logits = F.interpolate(logits, masks.shape[-2:], mode='bilinear', align_corners=False)
            losses['loss_sa'] = self.gamma * F.cross_entropy(logits, masks[:, 0].long())
        return losses
