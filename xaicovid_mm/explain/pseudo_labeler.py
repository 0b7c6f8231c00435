"""From unlabelled slices to calibrated soft masks."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..classes import COVID
from ..registry import MODELS, TASK_UTILS
from ..utils.model import eval_mode
from .fused_activation import FusedActivation
from .saliency import Saliency

if TYPE_CHECKING:
    from ..models import MultiTaskModel

IGNORED = -1.0
"""Value of a pixel of a pseudo mask that teaches nothing."""


@TASK_UTILS.register_module()
class PseudoLabeler:
    """Explain a network on unlabelled slices and fuse the explanations (Sec. III-D).

    Where it does not see COVID-19 its CAAM and saliency are no evidence of infection and count
    as background (see ``gate``).

    Args:
        calibration: Config of Eqs. (8)-(10).
        saliency: Config of the saliency map; steps and rule decide what a step costs.
        activation: Config of CAAM_l.
        gate: Whose class decides: 'pred' the network's, 'label' the sample's (weakly supervised),
            'prob' scales by the COVID-19 probability, 'none' lets every slice through.
        non_target: What a closed gate leaves: 'gate' the decoder's vote alone, 'zero' an
            empty mask, 'skip' nothing to learn.
        target_class: Whose evidence is wanted.
        hard: Round the masks; the paper's are soft.
        confidence: Pixels whose max(y, 1 - y) is lower are ignored; not in the paper.

    Raises:
        ValueError: For another ``gate`` or ``non_target``, or ``confidence`` outside [0, 1).
    """

    def __init__(
        self,
        calibration: dict | None = None,
        saliency: dict | None = None,
        activation: dict | None = None,
        gate: str = 'pred',
        non_target: str = 'gate',
        target_class: int = COVID,
        hard: bool = False,
        confidence: float = 0.0,
    ) -> None:
        if gate not in ('pred', 'label', 'prob', 'none'):
            raise ValueError(f"gate={gate!r}: choose 'pred', 'label', 'prob' or 'none'")
        if non_target not in ('gate', 'zero', 'skip'):
            raise ValueError(f"non_target={non_target!r}: choose 'gate', 'zero' or 'skip'")
        if not 0 <= confidence < 1:
            raise ValueError(f'confidence={confidence} must lie in [0, 1); 0 ignores no pixel')
        self.calibration = MODELS.build(calibration or dict(type='SharpenCombination'))
        self.saliency: Saliency = TASK_UTILS.build({'type': 'Saliency', **(saliency or {})})
        self.activation: FusedActivation = TASK_UTILS.build(
            {'type': 'FusedActivation', **(activation or {})}
        )
        self.gate, self.non_target, self.target_class = gate, non_target, target_class
        self.hard, self.confidence = hard, confidence

    def __call__(
        self, model: 'MultiTaskModel', images: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """Return soft masks (B, 1, H, W) in [0, 1], detached; ``IGNORED`` pixels teach nothing.

        Args:
            model: The multi-task model, without any distributed wrapper.
            images: (B, 1, H, W) in [0, 1], the weak views.
            labels: (B,) classes, for ``gate='label'``.
        """
        sources = self.sources(model, images, labels)
        mask = self.fuse(sources)
        valid = torch.maximum(mask, 1 - mask) >= self.confidence
        if self.non_target == 'skip':
            valid = valid & _wide(sources['gate'] > 0)
        return torch.where(valid, mask.round() if self.hard else mask, IGNORED)

    def sources(
        self,
        model: 'MultiTaskModel',
        images: Tensor,
        labels: Tensor | None = None,
        gate: str | None = None,
    ) -> dict[str, Tensor]:
        """Return what is fused: caam, saliency, prob, each (B, 1, H, W) in [0, 1], and gate (B,).

        ``gate`` takes the place of the labeler's own, for showing maps that it would shut out.
        No parameter's ``.grad``, no running statistic and no random state changes.
        """
        with eval_mode(model), torch.no_grad():
            feats = model.features(images)
            logits, mask_logits = model.classify(feats), model.segment(feats, images.shape[-2:])
            if logits is None or mask_logits is None:
                raise ValueError('pseudo masks need a cls_head and a decode_head: give both')
            activation = torch.zeros_like(images)
            if self.calibration.weights[0]:
                activation = self.activation(model.cls_head, feats, images, self.target_class)
            opened = gate_of(gate or self.gate, logits, labels, self.target_class)
            return {
                'caam': _wide(opened) * activation,
                'saliency': _wide(opened) * self._saliency(model, images, opened > 0),
                'prob': mask_logits.sigmoid(),
                'gate': opened,
            }

    def fuse(self, sources: dict[str, Tensor]) -> Tensor:
        """Calibrate the sources into soft masks (B, 1, H, W)."""
        mask = self.calibration(sources['caam'], sources['saliency'], sources['prob'])
        return mask * _wide(sources['gate'] > 0) if self.non_target == 'zero' else mask

    def _saliency(self, model: 'MultiTaskModel', images: Tensor, rows: Tensor) -> Tensor:
        """Only the slices that the gate lets through pay for gradients."""
        saliency = torch.zeros_like(images)
        if rows.any() and self.calibration.weights[1]:
            saliency[rows] = self.saliency(
                lambda x: model.cls_head(model.features(x)), images[rows], self.target_class
            )
        return saliency


def gate_of(gate: str, logits: Tensor, labels: Tensor | None, target_class: int) -> Tensor:
    """How far each slice's evidence counts, (B,) in [0, 1]."""
    if gate == 'none':
        return torch.ones_like(logits[:, 0])
    if gate == 'prob':
        return logits.softmax(1)[:, target_class]
    if gate == 'pred':
        return (logits.argmax(1) == target_class).to(logits.dtype)
    if labels is None:
        raise ValueError(
            "gate='label' needs the class of every unlabelled slice, and none came: set "
            "weak_labels=True in the dataset, or gate='pred'"
        )
    return (labels == target_class).to(logits.dtype)


def _wide(gate: Tensor) -> Tensor:
    return gate[:, None, None, None]
