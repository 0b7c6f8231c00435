"""PseudoSeg (Zou et al., 2021) on any of our networks; its labels are ``PseudoSegLabeler``'s."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...classes import COVID
from ...explain.grad_cam import grad_cam
from ...registry import MODELS
from ...structures import CTSample
from ...utils.model import eval_mode
from ...utils.precision import at_least_float
from ..head_builder import HeadBuilder
from ..multi_task_model import MultiTaskModel, rows_of, rows_with, stack_field


@MODELS.register_module()
class PseudoSegModel(MultiTaskModel):
    """A multi-task model with a refined Grad-CAM as a second, coarse segmentation.

    It adds ``loss_sa``, the cross entropy of the refined Grad-CAM on slices with a mask. Its weight
    is gamma, as that of L_s.

    Args:
        refiner: Config of the ``GradCAMRefiner``. ``in_channels`` may be left out.
        **kwargs: As in ``MultiTaskModel``, both heads included.

    Raises:
        ValueError: If a head is missing, or a head or the refiner does not fit the backbone.
    """

    def __init__(self, refiner: dict, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.cls_head is None or self.decode_head is None:
            raise ValueError('PseudoSeg needs a cls_head and a decode_head: give both')
        self.refiner = HeadBuilder(self.backbone)('refiner', refiner)

    def refine(self, feats: Sequence[Tensor], present: Tensor) -> Tensor:
        """Return logits (B, 2, h, w) of background and infection, from the Grad-CAM alone.

        Args:
            feats: The backbone's maps, the last (B, K, h, w).
            present: (B,), 1 where the slice shows COVID-19; elsewhere there is no evidence.
        """

        def classify(last: Tensor) -> Tensor:
            return self.cls_head([*(f.detach() for f in feats[:-1]), last])

        with eval_mode(self.cls_head):
            evidence = grad_cam(classify, feats[-1], COVID)
        return self.refiner(feats, evidence * present[:, None, None, None])

    def loss_terms(
        self,
        feats: Sequence[Tensor],
        data_samples: list[CTSample],
        inside: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms of ``MultiTaskModel`` and ``loss_sa``."""
        losses = super().loss_terms(feats, data_samples, inside)
        if rows := rows_with('infection', data_samples):
            masks = stack_field('infection', rows, data_samples).to(feats[0])
            logits = at_least_float(self.refine(rows_of(feats, rows), masks.amax((1, 2, 3))))
            logits = F.interpolate(logits, masks.shape[-2:], mode='bilinear', align_corners=False)
            loss = F.cross_entropy(logits, masks[:, 0].long())
            losses['loss_sa'] = self.loss_weights['gamma'] * loss
        return losses


@MODELS.register_module()
class GradCAMRefiner(BaseModule):
    """Spread a Grad-CAM to places with similar features, by self-attention.

    Queries and keys are 1x1 convolutions of features. The features are detached: the attention
    learns, the backbone does not.

    Note:
        There is one foreground class, so the second input of the last convolution follows from the
        first, and the batch norm behind it keeps only the sign of the result. A random start has
        that sign wrong or lost three times in four, and training hardly mends it. So we start with
        the right sign, and with infection at 1 in 100 pixels.

    Args:
        in_channels: Channels of the maps it reads, finest first.
        in_index: Which of the backbone's maps those are; they are resized to the Grad-CAM.
        width: Channels of queries and keys.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If ``in_channels`` and ``in_index`` differ in length.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        in_index: Sequence[int] = (-2, -1),
        width: int = 128,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(in_index):
            raise ValueError(
                f'in_channels {tuple(in_channels)} and in_index {tuple(in_index)} must name the '
                'same maps'
            )
        self.in_index = tuple(in_index)
        self.query = nn.Conv2d(sum(in_channels), width, 1)
        self.key = nn.Conv2d(sum(in_channels), width, 1)
        mix, norm = nn.Conv2d(2, 2, 1, bias=False), nn.BatchNorm2d(2)
        nn.init.dirac_(mix.weight)  # more evidence, more infection
        rare = math.log(0.99 / 0.01) / 2
        norm.bias.data = torch.tensor([rare, -rare])
        self.predict = nn.Sequential(mix, norm)

    def forward(self, feats: Sequence[Tensor], evidence: Tensor) -> Tensor:
        """Return logits (B, 2, h, w) of background and infection.

        Args:
            feats: The backbone's maps, each (B, K_s, h_s, w_s).
            evidence: Grad-CAM (B, 1, h, w) in [0, 1]; 0 for a slice without the class.
        """
        spread = evidence + self._attend(feats, evidence)
        return self.predict(torch.cat((2 - spread, spread), dim=1))

    def _attend(self, feats: Sequence[Tensor], evidence: Tensor) -> Tensor:
        """Average the evidence, weighted by the likeness of its place: (B, 1, h, w)."""
        size = evidence.shape[-2:]
        joined = torch.cat(
            [
                F.interpolate(feats[i].detach(), size, mode='bilinear', align_corners=False)
                for i in self.in_index
            ],
            dim=1,
        )
        query, key = self.query(joined).flatten(2), self.key(joined).flatten(2)  # B W N
        likeness = (query.transpose(1, 2) @ key / math.sqrt(query.shape[1])).softmax(2)  # B N N
        return (likeness @ evidence.flatten(1)[..., None]).view_as(evidence)
