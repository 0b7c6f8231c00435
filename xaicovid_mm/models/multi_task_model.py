"""One encoder, two answers: which disease, and where."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn import functional as F

from ..explain.activation_maps import inside_lungs
from ..registry import MODELS
from ..structures import CTSample
from ..utils.model import need_finite
from ..utils.precision import at_least_float
from .head_builder import HeadBuilder
from .losses import BCEDiceLoss, WeightedBCELoss, patient_label_loss

Features = Sequence[Tensor]
Samples = list[CTSample]

LOSS_WEIGHTS = dict(beta=1.0, gamma=5.0, eta=5.0, beta_u=1.0, cam=1.0)
"""Weights of the terms of the total loss, see ``MultiTaskModel``."""


@MODELS.register_module()
class MultiTaskModel(BaseModel):
    """Classify a slice and segment its infection from shared features (Fig. 2).

    It trains on whatever each sample carries: a class, a mask, a pseudo mask. It does not know
    where a pseudo mask comes from (see ``PseudoLabelHook``).

    Args:
        backbone: Config; gives a tuple of maps, finest first. Any mmpretrain backbone will do.
        cls_head: Config of a head with ``forward(feats)`` and ``loss(feats, labels, masks,
            with_cam, inside)``, see ``MultiScaleCAMHead``. None: segmentation only.
        decode_head: Config; maps the features to one infection logit at any size. Any mmseg decode
            head with ``num_classes=2, out_channels=1`` will do. None: classification only.
        mask_loss: Config of Eqs. (11) and (12).
        loss_weights: Weights of the terms of the total loss, over the defaults: ``beta`` (1, as
            in the paper) of classes, ``gamma`` (5) of masks, ``eta`` (5) of pseudo masks,
            ``beta_u`` (1, not in the paper) of pseudo-labelled classes, ``cam`` (1) of the CAM loss
            inside the class terms; with 0 the CAM loss is not computed.
        data_preprocessor: Config.
        channels_last: Keep the weights of convolutions, and so all maps, with the channels last in
            memory. The values are the same but for rounding. A step of a network with batch norm
            is faster by it, one with instance norm slower.
        init_cfg: As in mmengine.

    Attributes:
        loss_weights: Name to weight; hooks change it while the model trains.

    Note:
        A head without ``in_channels`` gets those of the maps that it reads, see ``HeadBuilder``.

    Raises:
        ValueError: If there is neither head, ``loss_weights`` has an unknown name, or a head does
            not fit the backbone.
    """

    cls_head: Any  # None for segmentation only
    decode_head: Any  # None for classification only
    mask_loss: WeightedBCELoss | BCEDiceLoss

    def __init__(
        self,
        backbone: dict,
        cls_head: dict | None = None,
        decode_head: dict | None = None,
        mask_loss: dict | None = None,
        loss_weights: dict[str, float] | None = None,
        data_preprocessor: dict | None = None,
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        if not cls_head and not decode_head:
            raise ValueError('a model without cls_head and decode_head learns nothing: give one')
        if unknown := set(loss_weights or {}) - set(LOSS_WEIGHTS):
            raise ValueError(f'loss_weights names {sorted(unknown)}: choose of {[*LOSS_WEIGHTS]}')
        preprocessor = MODELS.build(data_preprocessor or dict(type='CTDataPreprocessor'))
        super().__init__(preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        build_head = HeadBuilder(self.backbone)
        self.cls_head = build_head('cls_head', cls_head)
        self.decode_head = build_head('decode_head', decode_head)
        self.mask_loss = MODELS.build(mask_loss or dict(type='WeightedBCELoss'))
        self.loss_weights: dict[str, float] = {**LOSS_WEIGHTS, **(loss_weights or {})}
        if channels_last:
            self.to(memory_format=torch.channels_last)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[CTSample] | None = None,
        mode: str = 'tensor',
    ) -> tuple[Tensor | None, Tensor | None] | dict[str, Tensor] | list[CTSample]:
        """Run one of the three modes that mmengine asks for.

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
        """Compute what both heads read: the maps of slices (B, 1, H, W), finest first."""
        return self.backbone(inputs)

    def classify(self, feats: Sequence[Tensor]) -> Tensor | None:
        """Return class logits (B, C) of features; None without ``cls_head``."""
        return None if self.cls_head is None else at_least_float(self.cls_head(feats))

    def segment(self, feats: Sequence[Tensor], size: Sequence[int]) -> Tensor | None:
        """Return infection logits (B, 1, H, W) of features, enlarged to ``size`` where need be.

        They are float32 under mixed precision too, as losses and labels are computed from them.
        """
        if self.decode_head is None:
            return None
        logits = at_least_float(self.decode_head(feats))
        if logits.shape[-2:] != tuple(size):
            logits = F.interpolate(logits, tuple(size), mode='bilinear', align_corners=False)
        return logits

    def loss(self, inputs: Tensor, data_samples: list[CTSample]) -> dict[str, Tensor]:
        """Return the weighted terms of the total loss; mmengine adds up what is called loss_*."""
        return self.loss_terms(self.features(inputs), data_samples, inside_lungs(inputs))

    def loss_terms(
        self, feats: Features, data_samples: Samples, inside: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the terms of the total loss; a term without samples is left out.

        L = beta (L_ce + cam L_cam + L_map) + beta_u (L_ce_u + cam L_cam_u) + beta L_ce_p +
        gamma L_s + eta L_u, with the weights of ``loss_weights``; the head weighs L_map.
        The paper has L_ce, L_cam, L_s and L_u. With L_u comes ``u_excess``, which is logged and not
        added: how far L_u lies above the smallest value that its soft labels allow.

        Args:
            feats: Features of the whole batch, each (B, K_s, h_s, w_s).
            data_samples: One per slice.
            inside: The lungs, bool (B, 1, H, W), for a head that wants them.
        """
        weights, batch = self.loss_weights, (feats, data_samples)
        return {
            **self._class_terms('label', weights['beta'], *batch, inside),
            **self._class_terms('pseudo_label', weights['beta_u'], *batch, inside, end='_u'),
            **self._patient_terms('patient_label', weights['beta'], *batch),
            **self._segmentation_terms('infection', weights['gamma'], *batch, name='s'),
            **self._segmentation_terms('pseudo_mask', weights['eta'], *batch, name='u'),
        }

    def segmentation_loss(self, feats: Sequence[Tensor], masks: Tensor) -> Tensor:
        """Compare what is segmented of features with masks (B, 1, H, W), Eqs. (11), (12)."""
        return self.mask_loss(self.segment(feats, masks.shape[-2:]), masks)

    def predict(self, inputs: Tensor, data_samples: list[CTSample]) -> list[CTSample]:
        """Write class probabilities ``scores`` (C,) and infection ``prob`` (1, H, W).

        Raises:
            ValueError: If the network computes NaN or infinity of a slice.
        """
        feats = self.features(inputs)
        logits, mask_logits = self.classify(feats), self.segment(feats, inputs.shape[-2:])
        for output in (logits, mask_logits):
            if output is not None:
                need_finite(output, [sample.get('sample_id', '?') for sample in data_samples])
        for i, sample in enumerate(data_samples):
            if logits is not None:
                sample.scores = logits[i].softmax(0)
            if mask_logits is not None:
                sample.prob = mask_logits[i].sigmoid()
        return data_samples

    def _class_terms(
        self,
        field: str,
        weight: float,
        feats: Features,
        data_samples: Samples,
        inside: Tensor | None,
        end: str = '',
    ) -> dict[str, Tensor]:
        """Losses of the classifier, Eqs. (1) and (5), on samples whose class is in ``field``."""
        rows = rows_with(field, data_samples)
        if not rows or self.cls_head is None:
            return {}
        labels = stack_field(field, rows, data_samples)
        masks = self._known_masks(rows, data_samples)
        weights = {'cam': self.loss_weights['cam']}
        lungs = None if inside is None else inside[rows]
        with_cam = bool(weights['cam'])
        losses = self.cls_head.loss(rows_of(feats, rows), labels, masks, with_cam, lungs)
        return {
            f'loss_{name}{end}': weight * weights.get(name, 1.0) * value
            for name, value in losses.items()
        }

    def _patient_terms(
        self, field: str, weight: float, feats: Features, data_samples: Samples
    ) -> dict[str, Tensor]:
        """Loss of samples of which the patient's class alone is known, see its function."""
        rows = rows_with(field, data_samples)
        if not rows or self.cls_head is None:
            return {}
        logits, labels = self.cls_head(rows_of(feats, rows)), stack_field(field, rows, data_samples)
        return {'loss_ce_p': weight * patient_label_loss(logits, labels)}

    def _segmentation_terms(
        self, field: str, weight: float, feats: Features, data_samples: Samples, name: str
    ) -> dict[str, Tensor]:
        """Loss of the decoder, Eqs. (11) and (12), on samples whose mask is in ``field``."""
        rows = rows_with(field, data_samples)
        if not rows or self.decode_head is None:
            return {}
        masks = stack_field(field, rows, data_samples).to(feats[0])
        loss = self.segmentation_loss(rows_of(feats, rows), masks)
        losses = {f'loss_{name}': weight * loss}
        if field == 'pseudo_mask' and hasattr(self.mask_loss, 'lower_bound'):
            losses['u_excess'] = (loss - self.mask_loss.lower_bound(masks)).detach()
        return losses

    def _known_masks(self, rows: list[int], data_samples: Samples) -> Tensor | None:
        """Infection of some samples (B, 1, H, W), -1 where it is not known; None if none is."""
        known = [i for i in rows if 'infection' in data_samples[i]]
        if not known:
            return None
        blank = torch.full_like(data_samples[known[0]].infection, -1, dtype=torch.float32)
        masks = [data_samples[i].infection.float() if i in known else blank for i in rows]
        return torch.stack(masks)


def rows_with(field: str, data_samples: list[CTSample]) -> list[int]:
    """Positions of the samples that carry a field."""
    return [i for i, sample in enumerate(data_samples) if field in sample]


def rows_of(feats: Sequence[Tensor], rows: list[int]) -> Sequence[Tensor]:
    """The features of some samples; without a copy where all are wanted."""
    return feats if len(rows) == len(feats[0]) else [f[rows] for f in feats]


def stack_field(field: str, rows: list[int], data_samples: list[CTSample]) -> Tensor:
    """A field of some samples, stacked along a first axis."""
    return torch.stack([data_samples[i].get(field) for i in rows])
