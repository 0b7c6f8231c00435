"""SegNet (Table IV): VGG-16 with batch norm and its mirror, joined by pooling indices.

Its mask loss is ours, as U-Net's; the original has a class-balanced cross entropy.
"""

_base_ = 'unet.py'

model = dict(
    backbone=dict(_delete_=True, type='SegNet', base=_base_.base),
    decode_head=dict(in_index=0),
)
