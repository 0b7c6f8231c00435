"""The classifier, whose weights are those of its class activation maps."""

import math
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...classes import COVID
from ...explain.activation_maps import cam
from ...registry import MODELS
from ...utils.precision import at_least_float
from ..losses.map_loss import map_loss


@MODELS.register_module()
class MultiScaleCAMHead(BaseModule):
    """Class score maps at several scales, pooled and summed (Sec. III-C), with the CAM loss.

    At each scale a 1x1 convolution gives one score map per class, whose global maximum is the
    scale's score. The scores of all scales add up to the logits. The weights of the convolution are
    those of the CAM, Eq. (2), so there is no second classifier.

    Three things are not in the paper. Where class is confounded with source, the classifier
    teaches the encoder to see the source: ``encoder_grad`` holds its gradient back. A class that
    is learned from slices alone is found anywhere in them: ``map_weight`` compares the COVID-19
    score maps with the masks. And a CAAM that is pulled towards the map of every class, also of
    those that look the same everywhere, finds no infection: see ``cam_on``.

    Args:
        in_channels: K_s, channels of the features at each scale.
        in_index: Which of the backbone's maps are used, finest first; negative counts from the end.
        num_classes: C.
        alphas: alpha_s, weight of the CAM loss per scale, Eq. (5); the paper has 5. All 0: none.
        cam_loss: Config of Eq. (4).
        cam_on: Where the CAM loss is computed. 'slices' (the paper): on labelled slices of every
            class. 'infected_lungs': inside the lungs of slices whose mask shows infection; they are
            the slices that the CAAM is shown for.
        pool: 'max' (the paper), 'avg' or 'lse' (log-sum-exp, between the two).
        encoder_grad: Share of the gradient of this head's losses that reaches the encoder, in
            [0, 1]; 1 is the paper, with 0 the head only reads features. It holds in training mode;
            explanations run in eval mode and see the whole gradient.
        adapter: Convolutions (3x3) of the head's own at each scale, on whose features CAAM, CAM and
            CAM loss then live; 0 is the paper. They have no norm, which would hide how much
            evidence a slice has.
        map_weight: Weight of the comparison of COVID-19 score maps with masks, see ``map_loss``; 0
            is the paper.
        negative_slope: Of the adapter's LeakyReLU.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If the lists differ in length, for another ``pool`` or ``cam_on``,
            ``encoder_grad`` outside [0, 1], or a negative ``adapter`` or ``map_weight``.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (128, 256, 256),
        in_index: Sequence[int] = (-3, -2, -1),
        num_classes: int = 3,
        alphas: Sequence[float] = (5.0, 5.0, 5.0),
        cam_loss: dict | None = None,
        cam_on: str = 'slices',
        pool: str = 'max',
        encoder_grad: float = 1.0,
        adapter: int = 0,
        map_weight: float = 0.0,
        negative_slope: float = 0.2,
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
        if cam_on not in ('slices', 'infected_lungs'):
            raise ValueError(f"cam_on={cam_on!r}: choose 'slices' or 'infected_lungs'")
        if not 0 <= encoder_grad <= 1:
            raise ValueError(
                f'encoder_grad={encoder_grad} must lie in [0, 1]: 1 trains the encoder with the '
                'class (the paper), 0 does not'
            )
        if adapter < 0 or map_weight < 0:
            raise ValueError(f'adapter={adapter}, map_weight={map_weight}: give numbers >= 0')
        self.adapters = nn.ModuleList(
            nn.Sequential(
                *(layer for _ in range(adapter) for layer in _unnormed(c, negative_slope))
            )
            for c in in_channels
        )
        self.classifiers = nn.ModuleList(nn.Conv2d(c, num_classes, 1) for c in in_channels)
        self.in_index = tuple(in_index)
        self.alphas = tuple(alphas)
        self.cam_loss = MODELS.build(cam_loss or dict(type='CAMLoss'))
        self.cam_on = cam_on
        self.pool = pool
        self.encoder_grad, self.map_weight = encoder_grad, map_weight

    def select(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Return the features of each scale, after the adapter: (B, K_s, h_s, w_s), finest first.

        Their sum over the channels is the CAAM, Eq. (3).
        """
        share = self.encoder_grad if self.training else 1.0
        return [
            adapt(_damped(feats[i], share))
            for i, adapt in zip(self.in_index, self.adapters, strict=True)
        ]

    def class_maps(self, feats: Sequence[Tensor], labels: Tensor) -> list[Tensor]:
        """Return the CAM of each sample's class (B,), Eq. (2): (B, h_s, w_s), finest first."""
        return [
            cam(f, classify.get_parameter('weight'), labels)
            for f, classify in zip(self.select(feats), self.classifiers, strict=True)
        ]

    def score_maps(self, feats: Sequence[Tensor]) -> list[Tensor]:
        """Return the score of every class at every place: (B, C, h_s, w_s), finest first."""
        return self._score_maps(self.select(feats))

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map the backbone's features, each (B, K_s, h_s, w_s), to class logits (B, C)."""
        return self._pooled(self.score_maps(feats))

    def loss(
        self,
        feats: Sequence[Tensor],
        labels: Tensor,
        masks: Tensor | None = None,
        with_cam: bool = True,
        inside: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the losses of the classifier.

        Args:
            feats: Of labelled slices only.
            labels: (B,) integers.
            masks: Infection (B, 1, H, W), 0 and 1; a negative value is ignored.
            with_cam: Compute the CAM loss.
            inside: The lungs, bool (B, 1, H, W), for ``cam_on='infected_lungs'``.

        Returns:
            The cross entropy ``ce``, Eq. (1); ``cam``, the CAM loss summed over the scales,
            Eq. (5), unless every alpha is 0; ``map`` with masks and a ``map_weight``.

        Raises:
            ValueError: If ``cam_on='infected_lungs'`` and ``inside`` is missing.
        """
        scales = self.select(feats)
        scores = self._score_maps(scales)
        losses = {'ce': F.cross_entropy(self._pooled(scores), labels)}  # Eq. (1)
        if with_cam and any(self.alphas):
            losses['cam'] = self._cam_losses(scales, labels, masks, inside)
        if masks is not None and self.map_weight:
            covid = [score[:, COVID : COVID + 1] for score in scores]
            losses['map'] = self.map_weight * map_loss(covid, masks)
        return losses

    def _cam_losses(
        self, scales: Sequence[Tensor], labels: Tensor, masks: Tensor | None, inside: Tensor | None
    ) -> Tensor:
        """The CAM loss, summed over the scales; 0 where no slice counts."""
        lungs = None
        if self.cam_on == 'infected_lungs':
            if inside is None:
                raise ValueError("cam_on='infected_lungs' needs the lungs: give inside")
            infected = torch.zeros_like(labels, dtype=torch.bool)
            if masks is not None:
                infected = (masks > 0).flatten(1).any(1)
            scales, labels = [f[infected] for f in scales], labels[infected]
            lungs = inside[infected]
        losses = [  # Eq. (5)
            alpha * self.cam_loss(f, classify.weight, labels, lungs)
            for alpha, f, classify in zip(self.alphas, scales, self.classifiers, strict=True)
        ]
        return torch.stack(losses).sum()

    def _score_maps(self, scales: Sequence[Tensor]) -> list[Tensor]:
        return [
            at_least_float(classify(f))
            for f, classify in zip(scales, self.classifiers, strict=True)
        ]

    def _pooled(self, scores: Sequence[Tensor]) -> Tensor:
        return torch.stack([_POOLS[self.pool](score.flatten(2)) for score in scores]).sum(0)


def _unnormed(channels: int, negative_slope: float) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(negative_slope, inplace=True)


def _damped(features: Tensor, share: float) -> Tensor:
    """The same values, through which a share of the gradient passes."""
    if share in (0, 1):
        return features if share else features.detach()
    return features.detach() + share * (features - features.detach())


_POOLS = {
    'max': lambda scores: scores.amax(-1),
    'avg': lambda scores: scores.mean(-1),
    'lse': lambda scores: scores.logsumexp(-1) - math.log(scores.shape[-1]),
}
