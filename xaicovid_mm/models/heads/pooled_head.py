"""A plain classifier on one map."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS


@MODELS.register_module()
class PooledHead(BaseModule):
    """Pool a map, then linear layers to the class logits, as in VGG-16 and ResNet-18.

    Args:
        in_channels: Channels of that map.
        in_index: Which of the backbone's maps, finest first; by default the last.
        max_pool: Halve the map by 2x2 maxima first, as MultiMix does.
        pool_size: Side of the pooled map: 1 for global averages, 7 for VGG-16.
        hidden: Widths of hidden layers, each with ReLU and dropout.
        num_classes: C.
        dropout: Probability, after each hidden layer.
        init_cfg: As in mmengine; default Kaiming with the mode fan_in, which fits any width.
    """

    def __init__(
        self,
        in_channels: int,
        in_index: int = -1,
        max_pool: bool = False,
        pool_size: int = 1,
        hidden: Sequence[int] = (),
        num_classes: int = 3,
        dropout: float = 0.5,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Kaiming', layer='Linear', mode='fan_in'))
        widths = [in_channels * pool_size**2, *hidden]
        layers: list[nn.Module] = []
        for width, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(width, after), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.in_index, self.pool_size = in_index, pool_size
        self.max_pool = nn.MaxPool2d(2) if max_pool else nn.Identity()
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Map features, of which one is (B, in, h, w), to class logits (B, C)."""
        x = self.max_pool(feats[self.in_index])
        return self.layers(F.adaptive_avg_pool2d(x, self.pool_size).flatten(1))

    def loss(
        self,
        feats: Sequence[Tensor],
        labels: Tensor,
        masks: Tensor | None = None,
        with_cam: bool = True,
        inside: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the cross entropy ``ce`` for labels (B,); it has no maps for the rest."""
        return {'ce': F.cross_entropy(self(feats), labels)}
