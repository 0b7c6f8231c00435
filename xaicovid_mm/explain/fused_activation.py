"""One activation map out of all scales: the CAAM_l that is fused and shown."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..registry import TASK_UTILS
from .activation_maps import caam, check_fusion, fuse_scales, min_max
from .protocols import CAMHead


@TASK_UTILS.register_module()
class FusedActivation:
    """CAAM_l: the scales' activation maps as one map in [0, 1] (Sec. III-D).

    The paper does not say how the scales become one map, nor what happens outside the lung: the
    slice is black there, but the maps are not.

    Args:
        source: 'caam', Eq. (3), or 'cam', Eq. (2), of the wanted class.
        fuse: How the scales become one map, see ``fuse_scales``.
        inside_lung: Set the map to 0 where the slice is black; not in the paper.

    Raises:
        ValueError: For another ``source`` or ``fuse``.
    """

    def __init__(self, source: str = 'caam', fuse: str = 'mean', inside_lung: bool = False) -> None:
        if source not in ('caam', 'cam'):
            raise ValueError(f"source={source!r}: choose 'caam' or 'cam'")
        check_fusion(fuse)
        self.source, self.fuse, self.inside_lung = source, fuse, inside_lung

    def __call__(
        self, head: CAMHead, feats: Sequence[Tensor], images: Tensor, label: int
    ) -> Tensor:
        """Return the map (B, 1, H, W) in [0, 1].

        Args:
            head: Knows which features are the scales, and the weights of the CAM.
            feats: The backbone's maps, each (B, K_s, h_s, w_s), finest first.
            images: (B, 1, H, W) in [0, 1], 0 outside the lung.
            label: The class whose CAM is wanted; not read for 'caam'.
        """
        if self.source == 'cam':
            labels = torch.full((len(images),), label, device=images.device)
            maps = head.class_maps(feats, labels)
        else:
            maps = [caam(f) for f in head.select(feats)]
        fused = fuse_scales(maps, images.shape[-2:], self.fuse)
        return min_max(fused * (images != 0)) if self.inside_lung else fused
