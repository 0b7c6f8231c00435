"""The network that finds the lungs in a whole slice."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn import functional as F

from ..registry import MODELS
from ..structures import CTSample
from .head_builder import HeadBuilder


@MODELS.register_module()
class LungSegmentor(BaseModel):
    """Encoder and decoder for the lungs of whole slices (Sec. III-A names the step only).

    Args:
        backbone: Config; gives a tuple of maps, finest first.
        decode_head: Config; maps them to one lung logit at any size. ``in_channels`` may be left
            out, see ``HeadBuilder``.
        size: H = W of the slices in training, in pixels; ``LungExtractor`` resizes scans to it.
        window: HU that ``LungExtractor`` makes 0 and 1.
        mask_loss: Config; default binary cross entropy.
        data_preprocessor: Config.
        init_cfg: As in mmengine.

    Raises:
        ValueError: If the head does not fit the backbone, or the window is empty or upside down.
    """

    def __init__(
        self,
        backbone: dict,
        decode_head: dict,
        size: int = 128,
        window: Sequence[float] = (-1350, 150),
        mask_loss: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if window[0] >= window[1]:
            raise ValueError(f'window={list(window)}: HU that become 0 and 1, low < high, expected')
        preprocessor = MODELS.build(data_preprocessor or dict(type='CTDataPreprocessor'))
        super().__init__(preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.decode_head = HeadBuilder(self.backbone)('decode_head', decode_head)
        self.mask_loss = MODELS.build(mask_loss or dict(type='WeightedBCELoss', bg_weight=1.0))
        self.size, self.window = size, (window[0], window[1])

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[CTSample] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[CTSample]:
        """Run one of the three modes that mmengine asks for.

        Args:
            inputs: (B, 1, H, W) in [0, 1], not masked by the lung.
            data_samples: One per slice; 'loss' reads ``lung``.
            mode: 'tensor' gives lung logits (B, 1, H, W); 'loss' gives ``loss_lung``; 'predict'
                fills ``lung_prob`` (1, H, W) of the samples.

        Raises:
            ValueError: For another mode.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"mode={mode!r}: choose 'tensor', 'loss' or 'predict'")
        logits = self.decode_head(self.backbone(inputs))
        if logits.shape[-2:] != inputs.shape[-2:]:
            logits = F.interpolate(logits, inputs.shape[-2:], mode='bilinear', align_corners=False)
        if mode == 'tensor':
            return logits
        samples = data_samples or []
        if mode == 'loss':
            masks = torch.stack([sample.lung for sample in samples]).to(logits)
            return dict(loss_lung=self.mask_loss(logits, masks))
        for sample, logit in zip(samples, logits, strict=True):
            sample.lung_prob = logit.sigmoid()
        return samples
