"""The CAM loss of one scale."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...explain.activation_maps import caam, cam, min_max, min_max_inside
from ...registry import MODELS
from ...utils.precision import at_least_float


@MODELS.register_module()
class CAMLoss(nn.Module):
    """Pull the CAAM towards the CAM of the labelled class, Eq. (4).

    Note:
        The paper does not say what is detached, nor how pixels are averaged. We take the mean: a
        sum over Conv3 alone would be some 600 times the cross entropy.

    Args:
        detach: 'weights' detaches the classifier but not the features, so that the loss spares the
            channels which serve the class. 'all' makes the CAM a constant target. 'none' detaches
            nothing, and the classifier can shrink the loss by equalising its weights.
        reduction: 'mean' over pixels and samples, or 'sum' over pixels and mean over samples.

    Raises:
        ValueError: For another ``detach`` or ``reduction``.
    """

    def __init__(self, detach: str = 'weights', reduction: str = 'mean') -> None:
        super().__init__()
        if detach not in ('weights', 'all', 'none'):
            raise ValueError(f"detach={detach!r}: choose 'weights', 'all' or 'none'")
        if reduction not in ('mean', 'sum'):
            raise ValueError(f"reduction={reduction!r}: choose 'mean' or 'sum'")
        self.detach = detach
        self.reduction = reduction

    def forward(
        self, features: Tensor, weights: Tensor, labels: Tensor, inside: Tensor | None = None
    ) -> Tensor:
        """Return the scalar loss of one scale.

        Args:
            features: (B, K, h, w).
            weights: (C, K) or (C, K, 1, 1), the classifier's at this scale.
            labels: (B,) integers, the true class.
            inside: Bool (B, 1, H, W), the pixels that count; None: all, as in the paper. A place of
                the map counts if one of its pixels does.
        """
        with torch.autocast(features.device.type, enabled=False):  # float32 under mixed precision
            features = at_least_float(features)
            target = cam(features, weights if self.detach == 'none' else weights.detach(), labels)
            if self.detach == 'all':
                target = target.detach()
            maps = caam(features)
            if inside is None:
                scaled, wanted = min_max(maps), min_max(target)
                counted = torch.tensor(maps.numel())
            else:
                places = F.adaptive_max_pool2d(inside.float(), tuple(maps.shape[-2:])) > 0
                scaled, wanted = (min_max_inside(m[:, None], places) for m in (maps, target))
                counted = places.sum()
            gap = (scaled - wanted).abs().sum()  # Eq. (4); 0 outside
        count = counted if self.reduction == 'mean' else torch.tensor(len(maps))
        return gap / count.clamp(min=1)
