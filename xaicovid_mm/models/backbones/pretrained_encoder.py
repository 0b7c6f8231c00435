"""An encoder that was trained on other images, as a backbone for slices."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ...registry import MODELS
from ..head_builder import map_channels


@MODELS.register_module()
class PretrainedEncoder(BaseModule):
    """An encoder of mmpretrain, timm or our own, with the normalisation that it was trained with.

    The normalisation is part of the backbone. So black stays 0 in the slices, black stays the
    baseline of Eq. (7), and the encoder sees that black as it saw it in training: (0 - mean) / std.

    Args:
        encoder: Config of the encoder. Its ``in_channels`` are set to the length of ``mean``.
        mean: One number per channel that the encoder reads, in the units of the slice, [0, 1]. The
            slice is repeated in all of them; with one channel the first convolution of a file with
            three is summed, see ``LocalWeights``.
        std: Like ``mean``.
        pyramid: Config of a ``SimpleFeaturePyramid`` on the last map; for a plain ViT. Its
            ``in_channels`` are measured.
        frozen: The encoder does not learn, and its norms and dropout stay as in evaluation.
        init_cfg: As in mmengine; ``dict(type='Pretrained', checkpoint=FILE)`` loads the encoder.

    Raises:
        ValueError: If ``mean`` and ``std`` do not agree or a deviation is not positive, if
            ``encoder.in_channels`` is another number, if the encoder would fetch its weights, or
            if it gives no maps.
    """

    def __init__(
        self,
        encoder: dict,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        pyramid: dict | None = None,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(mean) != len(std) or not mean or not all(deviation > 0 for deviation in std):
            raise ValueError(
                f'mean={tuple(mean)}, std={tuple(std)}: give both one number per channel of the '
                'encoder, std above 0'
            )
        if (given := encoder.get('in_channels', len(mean))) != len(mean):
            raise ValueError(
                f'encoder.in_channels={given}, but mean has {len(mean)} numbers: leave it out, or '
                'give a mean and std per channel'
            )
        for key in ('pretrained', 'checkpoint_path'):
            if encoder.get(key):
                raise ValueError(
                    f'encoder.{key}={encoder[key]!r} would fetch weights unseen: leave it out, and '
                    "give the backbone init_cfg=dict(type='Pretrained', checkpoint=FILE)"
                )
        self.encoder = MODELS.build({**encoder, 'in_channels': len(mean)})
        self.pyramid = None
        if pyramid:
            channels, failure = map_channels(self.encoder, len(mean))
            if not channels and 'in_channels' not in pyramid:
                raise ValueError(
                    f'pyramid.in_channels is missing and cannot be measured: {failure}. Give it'
                )
            measured = {'in_channels': channels[-1]} if channels else {}
            self.pyramid = MODELS.build({**measured, **pyramid})
        self.frozen = frozen
        if frozen:
            self.encoder.requires_grad_(False)
        shape = (1, len(mean), 1, 1)
        self.register_buffer('mean', torch.tensor(mean).view(shape), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(shape), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map slices (B, 1, H, W) in [0, 1] to the maps of the encoder, finest first."""
        maps = self.encoder((x - self.mean) / self.std)
        return maps if self.pyramid is None else self.pyramid(maps[-1])

    def train(self, mode: bool = True) -> 'PretrainedEncoder':
        """Set the mode of all parts but a frozen encoder, which stays in evaluation."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self
