"""An average of a network's weights that measures its statistics itself."""

from typing import Any

import torch
from mmengine.dist import all_reduce_params
from mmengine.model import MomentumAnnealingEMA
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class OwnStatisticsEMA(MomentumAnnealingEMA):
    """mmengine's average of the weights; the running statistics of norms are left alone.

    The statistics of the weights of the last step do not fit averaged weights, and neither do
    averaged statistics: a network that is averaged over a hundred steps then finds nothing for the
    first half of a short training. ``measure_statistics`` runs the average itself on slices.

    Args:
        model: The network that is trained.
        momentum: Share of the new weights in each step.
        kwargs: As in ``MomentumAnnealingEMA``, without ``update_buffers``.
    """

    def __init__(self, model: nn.Module, momentum: float = 0.01, **kwargs: Any) -> None:
        # So mmengine swaps the statistics together with the weights; they are never averaged here.
        super().__init__(model, momentum, **kwargs, update_buffers=True)

    def update_parameters(self, model: nn.Module) -> None:
        """Take a share of the weights of the last step."""
        averages = dict(self.module.named_parameters())
        for name, source in model.named_parameters():
            if self.steps == 0:
                averages[name].data.copy_(source.data)
            else:
                self.avg_func(averages[name].data, source.data, self.steps)
        self.steps += 1

    @torch.no_grad()
    def measure_statistics(self, inputs: Tensor) -> None:
        """Let the norms of the average see slices (B, 1, H, W); no random state changes."""
        norms = [m for m in self.module.modules() if getattr(m, 'running_mean', None) is not None]
        if not norms:
            return
        self.module.eval()
        for norm in norms:
            norm.train()
        self.module(inputs, mode='tensor')
        self.module.eval()
        for norm in norms:  # ranks see other slices, and must go on with the same network
            all_reduce_params([norm.running_mean, norm.running_var], op='mean')
