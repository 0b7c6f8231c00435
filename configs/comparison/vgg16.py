"""VGG-16 (Table III): plain cross entropy on the labelled slices.

Thirteen convolutions and three linear layers with dropout, no norm, as published; one input
channel, from scratch. At the paper's scale 134 million parameters.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/supervised_vgg.py'

base = 2 * _base_.widths[0]  # 64 at the paper's scale

model = dict(
    backbone=dict(_delete_=True, type='VGG16', base=base),
    cls_head=dict(
        _delete_=True,
        type='PooledHead',
        in_channels=8 * base,
        pool_size=7,
        hidden=(64 * base, 64 * base),
    ),
    decode_head=None,
)
default_hooks = dict(cam_loss_start=None)
# without any norm it learns nothing at the 1e-3 of the small scales
optim_wrapper = dict(optimizer=dict(lr=min(_base_.optim_wrapper.optimizer.lr, 3e-4)))
