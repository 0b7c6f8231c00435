from .cam_loss import CAMLoss
from .weighted_bce_loss import WeightedBCELoss

__all__ = ['CAMLoss', 'WeightedBCELoss']
