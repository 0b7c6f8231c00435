"""MultiMix (Haque et al., 2021) on our encoder."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...registry import MODELS
from ...utils.model import eval_mode
from ..multi_task_model import MultiTaskModel


@MODELS.register_module()
class MultiMixModel(MultiTaskModel):
    """A multi-task model whose decoder is told what the classifier looked at.

    The slice and its saliency follow the backbone's maps as one more, the saliency bridge; see
    ``SaliencyBridgeHead``. Left out is the term that pulls the masks of labelled and unlabelled
    slices together: it pairs unrelated slices pixel by pixel, and in the released code it is a
    softmax over one channel, so always 0.
    """

    def features(self, inputs: Tensor) -> Sequence[Tensor]:
        """The backbone's maps of (B, 1, H, W), then slice and saliency (B, 2, H, W)."""
        return (*self.backbone(inputs), torch.cat((inputs, self._saliency(inputs)), dim=1))

    def _saliency(self, inputs: Tensor) -> Tensor:
        """Size of the gradient of the highest logit, as released: not normalised, detached."""
        with eval_mode(self), torch.enable_grad():
            leaf = inputs.detach().requires_grad_()
            highest = self.cls_head(self.backbone(leaf)).amax(1).sum()
            (gradient,) = torch.autograd.grad(highest, leaf)
        return gradient.abs()
