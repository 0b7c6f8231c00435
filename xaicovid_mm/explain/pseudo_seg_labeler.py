"""The pseudo masks of PseudoSeg."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ..classes import COVID
from ..registry import MODELS, TASK_UTILS
from ..utils.model import eval_mode
from .pseudo_labeler import gate_of

if TYPE_CHECKING:
    from ..models.baselines.pseudo_seg import PseudoSegModel


@TASK_UTILS.register_module()
class PseudoSegLabeler:
    """Fuse the decoder with the refined Grad-CAM (Zou et al.), for ``PseudoLabelHook``.

    Args:
        calibration: Config of the fusion.
        gate: Whose class decides whether a slice shows COVID-19: 'pred' the network's, 'label'
            the sample's.

    Raises:
        ValueError: For another ``gate``.
    """

    def __init__(self, calibration: dict | None = None, gate: str = 'pred') -> None:
        if gate not in ('pred', 'label'):
            raise ValueError(f"gate={gate!r}: choose 'pred' or 'label'")
        self.calibration = MODELS.build(calibration or dict(type='RMSFusion'))
        self.gate = gate

    def __call__(
        self, model: 'PseudoSegModel', images: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """Return soft masks (B, 1, H, W) in [0, 1], detached.

        No parameter's ``.grad`` and no running statistic changes.

        Args:
            model: Has ``refine``.
            images: (B, 1, H, W) in [0, 1], the weak views.
            labels: (B,) classes, for ``gate='label'``.
        """
        with eval_mode(model), torch.no_grad():
            feats = model.features(images)
            present = gate_of(self.gate, model.cls_head(feats), labels, COVID)
            logit = model.decode_head(feats)
            both = torch.cat((-logit / 2, logit / 2), dim=1), model.refine(feats, present)
            size = images.shape[-2:]
            return self.calibration(
                *(F.interpolate(z, size, mode='bilinear', align_corners=False) for z in both)
            )
