"""JCS (Tables III and IV), joint: Res2Net classifies and lends its features to the segmentation.

Its own loss, BCE and Dice at five levels. From scratch and with batch norm that trains: the
published one is pretrained, its VGG frozen in that. Res2Net-50; the released code has 101.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SUPERVISED:supervised_vgg}}.py'

base = 2 * _base_.widths[0]  # 64 at the paper's scale

model = dict(
    type='JCSModel',
    backbone=dict(_delete_=True, type='JCSEncoder', base=base, depth=50),
    cls_head=dict(_delete_=True, type='PooledHead'),
    decode_head=dict(_delete_=True, type='JCSDecodeHead'),
    mask_loss=dict(_delete_=True, type='BCEDiceLoss'),
    loss_weights=dict(gamma=1.0),
)
default_hooks = dict(cam_loss_start=None)
