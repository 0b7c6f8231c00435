"""The mask loss, for true and for pseudo masks."""

from torch import Tensor, nn
from torch.nn import functional as F

from ...registry import MODELS


@MODELS.register_module()
class WeightedBCELoss(nn.Module):
    """Binary cross entropy whose background term is weighted, Eqs. (11) and (12).

    The two equations differ in the target only: a true mask, or a soft pseudo mask.

    Args:
        bg_weight: w, on the background term. Its value is not in the paper; with 0.5 the
            decision at 0.5 falls where the foreground's probability is 1/3.

    Raises:
        ValueError: Unless 0 < ``bg_weight`` <= 1.
    """

    def __init__(self, bg_weight: float = 0.5) -> None:
        super().__init__()
        if not 0 < bg_weight <= 1:
            raise ValueError(f'bg_weight={bg_weight} must lie in (0, 1]; it weights the background')
        self.bg_weight = bg_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean over pixels; a differentiable 0 if there are none.

        Args:
            logits: (B, 1, H, W).
            target: Like ``logits``, in [0, 1].

        Raises:
            ValueError: If the shapes differ.
        """
        if logits.shape != target.shape:
            raise ValueError(
                f'logits {tuple(logits.shape)} against masks {tuple(target.shape)}: '
                'masks must have the size of the slices'
            )
        if not logits.numel():
            return logits.sum()
        foreground = target * F.softplus(-logits)
        background = (1 - target) * F.softplus(logits)
        return (foreground + self.bg_weight * background).mean()  # Eqs. (11), (12)
