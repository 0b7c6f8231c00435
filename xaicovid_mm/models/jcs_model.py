"""JCS (Wu et al., 2021): every level of the decoder learns the mask."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..registry import MODELS
from .multi_task_model import MultiTaskModel


@MODELS.register_module()
class JCSModel(MultiTaskModel):
    """A multi-task model whose mask loss is the sum over the side outputs of its decoder.

    The decode head has ``sides``, see ``JCSDecodeHead``.
    """

    def loss_of_masks(self, feats: Sequence[Tensor], masks: Tensor) -> Tensor:
        """Sum of the losses of all side outputs, enlarged to the masks (B, 1, H, W)."""
        size = masks.shape[-2:]
        sides = [
            F.interpolate(side, size, mode='bilinear', align_corners=False)
            for side in self.decode_head.sides(feats)
        ]
        return torch.stack([self.mask_loss(side, masks) for side in sides]).sum()
