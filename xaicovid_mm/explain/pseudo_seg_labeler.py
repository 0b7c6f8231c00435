"""The pseudo masks of PseudoSeg (Zou et al., 2021)."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..classes import COVID
from ..registry import MODELS, TASK_UTILS
from ..utils.model import eval_mode
from .protocols import RefiningModel
from .pseudo_labeler import evidence_weight


@TASK_UTILS.register_module()
class PseudoSegLabeler:
    """Fuse the decoder with the refined Grad-CAM, for ``PseudoLabelHook``.

    Args:
        calibration: Config of the fusion; default ``RMSFusion``.
        evidence_from: Whose class decides whether a slice shows COVID-19, so that its Grad-CAM
            counts: 'pred' the network's, 'label' the sample's.

    Raises:
        ValueError: For another ``evidence_from``.
    """

    def __init__(self, calibration: dict | None = None, evidence_from: str = 'pred') -> None:
        if evidence_from not in ('pred', 'label'):
            raise ValueError(f"evidence_from={evidence_from!r}: choose 'pred' or 'label'")
        self.calibration = MODELS.build(calibration or dict(type='RMSFusion'))
        self.evidence_from = evidence_from

    def __call__(
        self, model: RefiningModel, images: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """Return soft masks (B, 1, H, W) in [0, 1], detached.

        No parameter's ``.grad`` and no running statistic changes.

        Args:
            model: A ``PseudoSegModel``, without any distributed wrapper.
            images: (B, 1, H, W) in [0, 1], the weak views.
            labels: (B,) classes, for ``evidence_from='label'``.

        Raises:
            ValueError: If ``labels`` are needed and None.
        """
        with eval_mode(cast(nn.Module, model)), torch.no_grad():
            feats = model.features(images)
            present = evidence_weight(self.evidence_from, model.cls_head(feats), labels, COVID)
            logit = model.decode_head(feats)
            both = torch.cat((-logit / 2, logit / 2), dim=1), model.refine(feats, present)
            size = images.shape[-2:]
            return self.calibration(
                *(F.interpolate(z, size, mode='bilinear', align_corners=False) for z in both)
            )
