"""The classifier, whose weights are those of its class activation maps."""

import math
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...explain.activation_maps import cam
from ...registry import MODELS


@MODELS.register_module()
class MultiScaleCAMHead(BaseModule):
    """Class score maps at several scales, pooled and summed (Sec. III-C), with the CAM loss.

    At each scale a 1x1 convolution gives one score map per class, whose global maximum is the
    scale's score. The scores of all scales add up to the logits. The weights of the convolution are
    those of the CAM, Eq. (2), so there is no second classifier.

    Args:
        in_channels: K_s, channels of the features at each scale.
        in_index: Which of the backbone's maps are used, finest first; negative counts from the end.
        num_classes: C.
        alphas: alpha_s, weight of the CAM loss per scale, Eq. (5); the paper has 5. All 0: none.
        cam_loss: Config of Eq. (4).
        pool: 'max' (the paper), 'avg' or 'lse' (log-sum-exp, between the two).
        init_cfg: As in mmengine.

    Raises:
        ValueError: If the lists differ in length, or for another ``pool``.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (128, 256, 256),
        in_index: Sequence[int] = (-3, -2, -1),
        num_classes: int = 3,
        alphas: Sequence[float] = (5.0, 5.0, 5.0),
        cam_loss: dict | None = None,
        pool: str = 'max',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not len(in_channels) == len(in_index) == len(alphas):
            raise ValueError(
                f'in_channels {tuple(in_channels)}, in_index {tuple(in_index)} and alphas '
                f'{tuple(alphas)} must name the same scales'
            )
        if pool not in _POOLS:
            raise ValueError(f'pool={pool!r}: choose one of {sorted(_POOLS)}')
        self.classifiers = nn.ModuleList(nn.Conv2d(c, num_classes, 1) for c in in_channels)
        self.in_index = tuple(in_index)
        self.alphas = tuple(alphas)
        self.cam_loss = MODELS.build(cam_loss or dict(type='CAMLoss'))
        self.pool = pool

    def class_maps(self, feats: Sequence[Tensor], labels: Tensor) -> list[Tensor]:
        """Return the CAM of each sample's class (B,), Eq. (2): (B, h_s, w_s), finest first."""
        return [
            cam(f, classify.get_parameter('weight'), labels)
            for f, classify in zip(self.select(feats), self.classifiers, strict=True)
        ]

    def select(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps that this head reads, each (B, K_s, h_s, w_s), finest first."""
        return [feats[i] for i in self.in_index]

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map the backbone's features, each (B, K_s, h_s, w_s), to class logits (B, C)."""
        pool = _POOLS[self.pool]
        scores = [
            pool(classify(f).flatten(2))
            for f, classify in zip(self.select(feats), self.classifiers, strict=True)
        ]
        return torch.stack(scores).sum(0)

    def loss(self, feats: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Return the cross entropy ``ce``, Eq. (1).

        Args:
            feats: Of labelled slices only.
            labels: (B,) integers.
        """
        return {'ce': F.cross_entropy(self(feats), labels)}  # Eq. (1)

    def loss_cam(self, feats: Sequence[Tensor], labels: Tensor) -> Tensor | None:
        """Return the CAM loss summed over the scales, Eq. (5); None if every alpha is 0.

        Args:
            feats: Of labelled slices only.
            labels: (B,) integers.
        """
        if not any(self.alphas):
            return None
        return sum(  # Eq. (5)
            alpha * self.cam_loss(f, classify.weight, labels)
            for alpha, f, classify in zip(
                self.alphas, self.select(feats), self.classifiers, strict=True
            )
        )


_POOLS = {
    'max': lambda scores: scores.amax(-1),
    'avg': lambda scores: scores.mean(-1),
    'lse': lambda scores: scores.logsumexp(-1) - math.log(scores.shape[-1]),
}
