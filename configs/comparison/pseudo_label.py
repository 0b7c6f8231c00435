"""Pseudo-Label (Lee 2013; Table III): VGG-16 learns its own classes of the unlabelled slices.

The weight grows to 3 over the epochs that Lee's 100 and 600 of 600 updates would be here. Both
streams show their plain view. Left out: a confidence cut, which Lee does not have.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/semi_vgg.py'

base = 2 * _base_.widths[0]
epochs = _base_.train_cfg.max_epochs

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
default_hooks = dict(
    cam_loss_start=None,
    pseudo_label=None,
    pseudo_label_monitor=None,
    pseudo_label_audit=None,
    pseudo_class=dict(type='PseudoClassHook', begin=epochs // 15, end=epochs * 2 // 5, weight=3.0),
)
# without any norm it learns nothing at the 1e-3 of the small scales
optim_wrapper = dict(optimizer=dict(lr=min(_base_.optim_wrapper.optimizer.lr, 3e-4)))
