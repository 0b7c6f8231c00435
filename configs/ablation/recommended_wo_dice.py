"""The recommended recipe without the Dice term: cross entropy alone."""

_base_ = '../{{$XAICOVID_SCALE:.}}/recommended_semi.py'

model = dict(mask_loss=dict(bce_weight=1.0, dice_weight=0.0))
