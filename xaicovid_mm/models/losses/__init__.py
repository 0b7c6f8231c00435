from .cam_loss import CAMLoss
from .candidate_loss import candidate_loss
from .dice_loss import BCEDiceLoss, DiceLoss
from .weighted_bce_loss import WeightedBCELoss

__all__ = ['BCEDiceLoss', 'CAMLoss', 'DiceLoss', 'WeightedBCELoss', 'candidate_loss']
