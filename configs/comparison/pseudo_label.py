"""Pseudo-Label (Lee 2013; Table III): VGG-16 learns its own classes of the unlabelled slices.

The weight grows to 3 over the epochs that Lee's 100 and 600 of 600 updates would be here. Both
streams show their weak view. Left out: a confidence cut, which Lee does not have.
"""

_base_ = [
    '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py',
    '../_base_/models/vgg16.py',
]

base = 2 * _base_.widths[0]
epochs = _base_.train_cfg.max_epochs

model = _base_.pop('vgg16')
model.backbone.base, model.cls_head.hidden = base, (64 * base, 64 * base)
default_hooks = dict(
    cam_loss_start=None,
    pseudo_label=None,
    evidence_fit=None,
    pseudo_label_monitor=None,
    pseudo_label_audit=None,
    pseudo_class=dict(type='PseudoClassHook', begin=epochs // 15, end=epochs * 2 // 5, weight=3.0),
)
optim_wrapper = dict(
    optimizer=dict(lr=min(_base_.optim_wrapper.optimizer.lr, _base_.pop('vgg16_max_lr')))
)
