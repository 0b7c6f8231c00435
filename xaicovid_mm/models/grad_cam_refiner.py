"""PseudoSeg's second opinion: a Grad-CAM, spread along what looks alike."""

import math
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..registry import MODELS


@MODELS.register_module()
class GradCAMRefiner(BaseModule):
    """Self-attention over features carries a Grad-CAM to similar places (Zou et al., PseudoSeg).

    Queries and keys are 1x1 convolutions of the last maps, which are detached: the attention
    learns, the features do not.

    Note:
        With a single foreground class both inputs of the last layer say one thing, and the norm
        behind it keeps only the sign of what the convolution makes of it. Drawn at random, that
        sign is wrong or lost three times in four and hardly learned, so it starts right here, with
        infection at 1 in 100.

    Args:
        in_channels: Of the last maps, finest first; the finer are resized to the coarsest.
        width: Of queries and keys.
        init_cfg: As in mmengine.
    """

    def __init__(
        self, in_channels: Sequence[int], width: int = 128, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.levels = len(in_channels)
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
            feats: The backbone's maps; the last is (B, K, h, w).
            evidence: Grad-CAM (B, 1, h, w) in [0, 1]; 0 for a slice without the class.
        """
        spread = evidence + self._attend(feats, evidence)
        return self.predict(torch.cat((2 - spread, spread), dim=1))

    def _attend(self, feats: Sequence[Tensor], evidence: Tensor) -> Tensor:
        """For each place the mean of the evidence, weighted by likeness: (B, 1, h, w)."""
        size = feats[-1].shape[-2:]
        joined = torch.cat(
            [
                F.interpolate(f.detach(), size, mode='bilinear', align_corners=False)
                for f in feats[-self.levels :]
            ],
            dim=1,
        )
        query, key = self.query(joined).flatten(2), self.key(joined).flatten(2)  # B W N
        likeness = (query.transpose(1, 2) @ key / math.sqrt(query.shape[1])).softmax(2)  # B N N
        return (likeness @ evidence.flatten(1)[..., None]).view_as(evidence)
