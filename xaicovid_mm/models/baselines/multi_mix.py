"""MultiMix (Haque et al., 2021): a multi-task model on our encoder, with a saliency bridge."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...registry import MODELS
from ...utils.model import eval_mode
from ..decode_heads import UNetDecodeHead
from ..multi_task_model import MultiTaskModel


@MODELS.register_module()
class MultiMixModel(MultiTaskModel):
    """A multi-task model whose decoder also reads the saliency of the classifier.

    Slice and saliency follow the backbone's maps as one more map, the saliency bridge, which
    ``SaliencyBridgeHead`` reads.

    Note:
        We leave out the term that pulls the masks of labelled and unlabelled slices together. It
        compares unrelated slices pixel by pixel. In the released code it is a softmax over one
        channel, so it is always 0.
    """

    def features(self, inputs: Tensor) -> Sequence[Tensor]:
        """Return the backbone's maps of (B, 1, H, W), then slice and saliency (B, 2, H, W)."""
        return (*self.backbone(inputs), torch.cat((inputs, self._saliency(inputs)), dim=1))

    def _saliency(self, inputs: Tensor) -> Tensor:
        """Return |gradient of the highest logit| (B, 1, H, W), detached, as released."""
        with eval_mode(self), torch.enable_grad():
            leaf = inputs.detach().requires_grad_()
            highest = self.cls_head(self.backbone(leaf)).amax(1).sum()
            (gradient,) = torch.autograd.grad(highest, leaf)
        return gradient.abs()


@MODELS.register_module()
class SaliencyBridgeHead(UNetDecodeHead):
    """U-Net decoder whose first stage also sees the slice and its saliency.

    Args:
        in_channels: Channels of the backbone's maps, finest first, without the bridge.
        bridge_channels: Channels of the bridge, the map that follows them.
        **kwargs: As in ``UNetDecodeHead``.
    """

    def __init__(self, in_channels: Sequence[int], bridge_channels: int = 2, **kwargs: Any) -> None:
        super().__init__(in_channels, **kwargs)
        coarse, fine = in_channels[-1], in_channels[-2]
        self.blocks[0] = self.block(coarse + fine + bridge_channels, fine)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map features and bridge (B, bridge_channels, H, W) to logits (B, 1, h, w)."""
        *fine, second, coarsest, bridge = feats
        size = second.shape[-2:]
        bridge = F.interpolate(bridge, size, mode='bilinear', align_corners=False)
        return super().forward([*fine, torch.cat((second, bridge), dim=1), coarsest])
