"""One activation map out of all scales: the CAAM_l that is fused and shown."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..registry import TASK_UTILS
from .activation_maps import caam, check_fusion, fuse_scales, inside_lungs, min_max_inside
from .protocols import CAMHead


@TASK_UTILS.register_module()
class FusedActivation:
    """CAAM_l: the scales' activation maps as one map in [0, 1] (Sec. III-D).

    The map is 0 outside the lungs. The slice is black there, but what the scales give is not, and
    would take most of the range. The paper does not say that, nor how the scales become one map.

    Args:
        source: 'caam', Eq. (3); 'cam', Eq. (2), of the wanted class; or 'score', the probability
            that the class's score maps give each place, for a head that was taught by masks (see
            ``map_loss``; not in the paper).
        fuse: How the scales of 'caam' and 'cam' become one map, see ``fuse_scales``; the
            logits of 'score' are averaged.

    Raises:
        ValueError: For another ``source`` or ``fuse``.
    """

    def __init__(self, source: str = 'caam', fuse: str = 'mean') -> None:
        if source not in ('caam', 'cam', 'score'):
            raise ValueError(f"source={source!r}: choose 'caam', 'cam' or 'score'")
        check_fusion(fuse)
        self.source, self.fuse = source, fuse

    def __call__(
        self, head: CAMHead, feats: Sequence[Tensor], images: Tensor, label: int
    ) -> Tensor:
        """Return the map (B, 1, H, W) in [0, 1].

        Args:
            head: Knows which features are the scales, and the weights of the CAM.
            feats: The backbone's maps, each (B, K_s, h_s, w_s), finest first.
            images: (B, 1, H, W) in [0, 1], 0 outside the lung.
            label: The class whose map is wanted; not read for 'caam'.
        """
        size, inside = images.shape[-2:], inside_lungs(images)
        if self.source == 'score':
            logits = [
                F.interpolate(
                    score[:, label : label + 1], tuple(size), mode='bilinear', align_corners=False
                )
                for score in head.score_maps(feats)
            ]
            return torch.stack(logits).mean(0).sigmoid() * inside
        if self.source == 'cam':
            labels = torch.full((len(images),), label, device=images.device)
            maps = head.class_maps(feats, labels)
        else:
            maps = [caam(f) for f in head.select(feats)]
        return min_max_inside(fuse_scales(maps, size, self.fuse), inside)


def class_activation(head: CAMHead, fuse: str = 'mean') -> FusedActivation:
    """Return the map of a class that is shown: of a head that masks have taught, its score maps.

    Args:
        head: The classifier.
        fuse: As in ``FusedActivation``.
    """
    taught = getattr(head, 'map_weight', 0) > 0  # then a score is a probability
    return FusedActivation('score' if taught else 'cam', fuse)
