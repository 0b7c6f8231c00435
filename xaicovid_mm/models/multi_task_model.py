"""One encoder, two answers: which disease, and where."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn import functional as F

from ..registry import MODELS
from ..structures import CTSample
from .losses import WeightedBCELoss
from .losses import patient_label_loss as patient_label_loss


@MODELS.register_module()
class MultiTaskModel(BaseModel):
    """Classify a slice and segment its infection from shared features (Fig. 2).

    It trains on whatever each sample carries: a class, a mask, a pseudo mask. Where a pseudo mask
    comes from is not its business (see ``PseudoLabelHook``).

    Args:
        backbone: Config; gives a tuple of maps, finest first. Any mmpretrain backbone will do.
        cls_head: Config of a head with ``forward(feats)`` and ``loss(feats, labels)``. None:
            segmentation only.
        decode_head: Config; maps the features to one infection logit at any size. Any mmseg decode
            head with ``num_classes=2, out_channels=1`` will do. None: classification only.
        mask_loss: Config of Eqs. (11) and (12).
        beta: Weight of the classification losses; the paper has 1.
        gamma: Weight of L_s; the paper has 5.
        eta: Weight of L_u; the paper has 5.
        beta_u: Weight of classes that are not known but guessed, see ``PseudoClassHook``.
        data_preprocessor: Config.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If there is neither head.
    """

    cls_head: Any  # None for segmentation only
    decode_head: Any  # None for classification only
    mask_loss: WeightedBCELoss

    def __init__(
        self,
        backbone: dict,
        cls_head: dict | None = None,
        decode_head: dict | None = None,
        mask_loss: dict | None = None,
        beta: float = 1.0,
        gamma: float = 5.0,
        eta: float = 5.0,
        beta_u: float = 1.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if not cls_head and not decode_head:
            raise ValueError('a model without cls_head and decode_head learns nothing: give one')
        preprocessor = MODELS.build(data_preprocessor or dict(type='CTDataPreprocessor'))
        super().__init__(preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.cls_head = MODELS.build(cls_head) if cls_head else None
        self.decode_head = MODELS.build(decode_head) if decode_head else None
        self.mask_loss = MODELS.build(mask_loss or dict(type='WeightedBCELoss'))
        self.beta, self.gamma, self.eta, self.beta_u = beta, gamma, eta, beta_u

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[CTSample] | None = None,
        mode: str = 'tensor',
    ) -> tuple[Tensor | None, Tensor | None] | dict[str, Tensor] | list[CTSample]:
        """Run one of the three ways that mmengine asks for.

        Args:
            inputs: (B, 1, H, W) in [0, 1].
            data_samples: One per slice.
            mode: 'tensor' gives the class logits (B, C) and the infection logits (B, 1, H, W),
                None for a head that is not there; 'loss' gives the losses; 'predict' fills
                ``scores`` and ``prob`` of the samples.

        Raises:
            ValueError: For another mode.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples or [])
        if mode == 'predict':
            return self.predict(inputs, data_samples or [CTSample() for _ in inputs])
        if mode == 'tensor':
            feats = self.features(inputs)
            return self.classify(feats), self.segment(feats, inputs.shape[-2:])
        raise ValueError(f"mode={mode!r}: choose 'tensor', 'loss' or 'predict'")

    def features(self, inputs: Tensor) -> Sequence[Tensor]:
        """What both heads read of slices (B, 1, H, W): the backbone's maps, finest first."""
        return self.backbone(inputs)

    def classify(self, feats: Sequence[Tensor]) -> Tensor | None:
        """Class logits (B, C) of features."""
        return None if self.cls_head is None else self.cls_head(feats)

    def segment(self, feats: Sequence[Tensor], size: Sequence[int]) -> Tensor | None:
        """Infection logits (B, 1, H, W) of features, enlarged to ``size`` where need be."""
        if self.decode_head is None:
            return None
        logits = self.decode_head(feats)
        if logits.shape[-2:] != tuple(size):
            logits = F.interpolate(logits, tuple(size), mode='bilinear', align_corners=False)
        return logits

    def loss(self, inputs: Tensor, data_samples: list[CTSample]) -> dict[str, Tensor]:
        """Return the weighted terms of the total loss; mmengine adds up what is called loss_*.

        ``loss_ce`` and ``loss_cam`` use the samples with a class, ``loss_s`` those with a mask,
        ``loss_u`` those with a pseudo mask, ``loss_ce_u`` those with a pseudo label, ``loss_ce_p``
        those of which the patient's class alone is known; a term without samples is left out.
        """
        return self.losses_of(self.features(inputs), data_samples)

    def losses_of(self, feats: Sequence[Tensor], data_samples: list[CTSample]) -> dict[str, Tensor]:
        """The terms of ``loss``, of features."""
        losses = {}
        for end, weight, field in (('', self.beta, 'label'), ('_u', self.beta_u, 'pseudo_label')):
            rows = rows_with(field, data_samples)
            if rows and self.cls_head is not None:
                labels = torch.stack([data_samples[i].get(field) for i in rows])
                for name, value in self.cls_head.loss(rows_of(feats, rows), labels).items():
                    losses[f'loss_{name}{end}'] = weight * value
        if (rows := rows_with('patient_label', data_samples)) and self.cls_head is not None:
            labels = torch.stack([data_samples[i].patient_label for i in rows])
            logits = self.cls_head(rows_of(feats, rows))
            losses['loss_ce_p'] = self.beta * patient_label_loss(logits, labels)
        for name, weight, field in (('s', self.gamma, 'infection'), ('u', self.eta, 'pseudo_mask')):
            rows = rows_with(field, data_samples)
            if rows and self.decode_head is not None:
                masks = torch.stack([data_samples[i].get(field) for i in rows]).to(feats[0])
                losses[f'loss_{name}'] = weight * self.loss_of_masks(rows_of(feats, rows), masks)
        return losses

    def loss_of_masks(self, feats: Sequence[Tensor], masks: Tensor) -> Tensor:
        """Loss of what is segmented of features against masks (B, 1, H, W), Eqs. (11), (12)."""
        return self.mask_loss(self.segment(feats, masks.shape[-2:]), masks)

    def predict(self, inputs: Tensor, data_samples: list[CTSample]) -> list[CTSample]:
        """Write class probabilities ``scores`` (C,) and infection ``prob`` (1, H, W)."""
        feats = self.features(inputs)
        logits, mask_logits = self.classify(feats), self.segment(feats, inputs.shape[-2:])
        for i, sample in enumerate(data_samples):
            if logits is not None:
                sample.scores = logits[i].softmax(0)
            if mask_logits is not None:
                sample.prob = mask_logits[i].sigmoid()
        return data_samples


def rows_of(feats: Sequence[Tensor], rows: list[int]) -> Sequence[Tensor]:
    """The features of some samples; indexing copies, so not where all are wanted."""
    return feats if len(rows) == len(feats[0]) else [f[rows] for f in feats]


def rows_with(field: str, data_samples: list[CTSample]) -> list[int]:
    """Which samples carry a field."""
    return [i for i, sample in enumerate(data_samples) if field in sample]
