from .bce_dice_loss import BCEDiceLoss
from .cam_loss import CAMLoss
from .dice_loss import DiceLoss
from .patient_label_loss import patient_label_loss
from .weighted_bce_loss import WeightedBCELoss

__all__ = ['BCEDiceLoss', 'CAMLoss', 'DiceLoss', 'WeightedBCELoss', 'patient_label_loss']
