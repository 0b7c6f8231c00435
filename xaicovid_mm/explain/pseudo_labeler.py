"""From unlabelled slices to calibrated soft masks."""

from typing import cast

import torch
from torch import Tensor, nn

from ..classes import COVID
from ..registry import MODELS, TASK_UTILS
from ..utils.model import eval_mode
from .activation_maps import inside_lungs
from .fused_activation import FusedActivation
from .protocols import ExplainableModel
from .saliency import Saliency

SOURCES = ('caam', 'saliency', 'prob', 'covid')
"""What a calibration fuses, in the order of its arguments."""
IGNORED = -1.0
"""Value of a pixel of a pseudo mask that teaches nothing."""


@TASK_UTILS.register_module()
class PseudoLabeler:
    """Explain a network on unlabelled slices and fuse the explanations (Sec. III-D).

    CAAM and saliency are evidence of infection only in a slice that shows COVID-19. In any other
    slice they count as background. ``evidence_from`` says who decides which slices those are.

    All maps are 0 outside the lungs, and what lies there is ``IGNORED``: nothing is to be learned
    where every slice is black.

    Args:
        calibration: Config of Eqs. (8)-(10).
        saliency: Config of the ``Saliency``; its steps and rule decide what a training step costs.
        activation: Config of the ``FusedActivation``, CAAM_l.
        evidence_from: Whose class decides whether a slice gives evidence: 'pred' the network's,
            'label' the sample's (weakly supervised). 'prob' multiplies the evidence by the
            network's COVID-19 probability, 'none' takes the evidence of every slice. Not in the
            paper.
        non_target: The pseudo mask of a slice without evidence: 'decoder' leaves the decoder's
            vote alone, 'zero' makes the mask empty, 'skip' ignores every pixel. Not in the paper.
        target_class: The class whose evidence is wanted.
        hard: Round the masks to 0 and 1; the paper's are soft.
        confidence: Pixels whose max(y, 1 - y) is lower are ignored; 0 ignores none. Not in the
            paper.

    Raises:
        ValueError: For another ``evidence_from`` or ``non_target``, or ``confidence`` outside
            [0, 1).
    """

    def __init__(
        self,
        calibration: dict | None = None,
        saliency: dict | None = None,
        activation: dict | None = None,
        evidence_from: str = 'pred',
        non_target: str = 'decoder',
        target_class: int = COVID,
        hard: bool = False,
        confidence: float = 0.0,
    ) -> None:
        if evidence_from not in ('pred', 'label', 'prob', 'none'):
            raise ValueError(
                f"evidence_from={evidence_from!r}: choose 'pred', 'label', 'prob' or 'none'"
            )
        if non_target not in ('decoder', 'zero', 'skip'):
            raise ValueError(f"non_target={non_target!r}: choose 'decoder', 'zero' or 'skip'")
        if not 0 <= confidence < 1:
            raise ValueError(f'confidence={confidence} must lie in [0, 1); 0 ignores no pixel')
        self.calibration = MODELS.build(calibration or dict(type='SharpenCombination'))
        self.saliency: Saliency = TASK_UTILS.build({'type': 'Saliency', **(saliency or {})})
        self.activation: FusedActivation = TASK_UTILS.build(
            {'type': 'FusedActivation', **(activation or {})}
        )
        self.evidence_from, self.non_target = evidence_from, non_target
        self.target_class, self.hard, self.confidence = target_class, hard, confidence

    def __call__(
        self, model: ExplainableModel, images: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """Return soft masks (B, 1, H, W) in [0, 1], detached; ``IGNORED`` pixels teach nothing.

        Args:
            model: The network, without any distributed wrapper.
            images: (B, 1, H, W) in [0, 1], the weak views.
            labels: (B,) classes, for ``evidence_from='label'``.

        Raises:
            ValueError: As ``sources``.
        """
        sources = self.sources(model, images, labels)
        mask = self.fuse(sources)
        valid = inside_lungs(images) & (torch.maximum(mask, 1 - mask) >= self.confidence)
        if self.non_target == 'skip':
            valid = valid & _per_slice(sources['evidence'] > 0)
        return torch.where(valid, mask.round() if self.hard else mask, IGNORED)

    def sources(
        self,
        model: ExplainableModel,
        images: Tensor,
        labels: Tensor | None = None,
        evidence_from: str | None = None,
        every: bool = False,
    ) -> dict[str, Tensor]:
        """Compute what is fused.

        No parameter's ``.grad``, no running statistic and no random state changes.

        Args:
            model: The network, without any distributed wrapper.
            images: (B, 1, H, W) in [0, 1].
            labels: (B,) classes, for ``evidence_from='label'``.
            evidence_from: Takes the place of the labeler's own, to show maps that do not count.
            every: Compute maps of weight 0 as well, which are blank otherwise.

        Returns:
            ``caam``, ``saliency`` and ``prob``, each (B, 1, H, W) in [0, 1], 0 outside the lungs;
            ``covid`` (B,), the slice's probability of the wanted class; and ``evidence`` (B,) in
            [0, 1], the weight of each slice's evidence.

        Raises:
            ValueError: If the model lacks a head, or ``labels`` are needed and None.
        """
        with eval_mode(cast(nn.Module, model)), torch.no_grad():
            feats = model.features(images)
            logits, mask_logits = model.classify(feats), model.segment(feats, images.shape[-2:])
            if logits is None or mask_logits is None:
                raise ValueError('pseudo masks need a cls_head and a decode_head: give both')
            activation = saliency = torch.zeros_like(images)
            evidence = evidence_weight(
                evidence_from or self.evidence_from, logits, labels, self.target_class
            )
            if every or self.calibration.weights[0]:
                activation = self.activation(model.cls_head, feats, images, self.target_class)
            if every or self.calibration.weights[1]:
                saliency = self._saliency(model, images, evidence > 0)
            return {
                'caam': _per_slice(evidence) * activation,
                'saliency': _per_slice(evidence) * saliency,
                'prob': mask_logits.sigmoid() * inside_lungs(images),
                'covid': logits.softmax(1)[:, self.target_class],
                'evidence': evidence,
            }

    def fuse(self, sources: dict[str, Tensor]) -> Tensor:
        """Calibrate the sources into soft masks (B, 1, H, W) in [0, 1]."""
        mask = self.calibration(*(sources[name] for name in SOURCES))
        return mask * _per_slice(sources['evidence'] > 0) if self.non_target == 'zero' else mask

    def _saliency(self, model: ExplainableModel, images: Tensor, rows: Tensor) -> Tensor:
        """Saliency (B, 1, H, W); only the slices with evidence pay for gradients."""
        saliency = torch.zeros_like(images)
        if rows.any():
            saliency[rows] = self.saliency(
                lambda x: model.cls_head(model.features(x)), images[rows], self.target_class
            )
        return saliency


def evidence_weight(
    evidence_from: str, logits: Tensor, labels: Tensor | None, target_class: int
) -> Tensor:
    """How much each slice's evidence counts: (B,) in [0, 1].

    Args:
        evidence_from: 'pred', 'label', 'prob' or 'none', see ``PseudoLabeler``.
        logits: (B, C), the network's.
        labels: (B,) classes, read by 'label' alone.
        target_class: The class whose evidence is wanted.

    Raises:
        ValueError: If ``labels`` are needed and None.
    """
    if evidence_from == 'none':
        return torch.ones_like(logits[:, 0])
    if evidence_from == 'prob':
        return logits.softmax(1)[:, target_class]
    if evidence_from == 'pred':
        return (logits.argmax(1) == target_class).to(logits.dtype)
    if labels is None:
        raise ValueError(
            "evidence_from='label' needs the class of every unlabelled slice, and none came: set "
            "weak_labels=True in the dataset, or evidence_from='pred'"
        )
    return (labels == target_class).to(logits.dtype)


def _per_slice(values: Tensor) -> Tensor:
    """One value per slice (B,) as (B, 1, 1, 1)."""
    return values[:, None, None, None]
