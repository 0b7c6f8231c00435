"""VGG-16 (Table III): plain cross entropy on the labelled slices.

At the paper's scale it has 134 million parameters.
"""

_base_ = [
    '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SUPERVISED:supervised_vgg}}.py',
    '../_base_/models/vgg16.py',
]

base = 2 * _base_.widths[0]  # 64 at the paper's scale

model = _base_.pop('vgg16')
model.backbone.base, model.cls_head.hidden = base, (64 * base, 64 * base)
default_hooks = dict(cam_loss_start=None)
optim_wrapper = dict(
    optimizer=dict(lr=min(_base_.optim_wrapper.optimizer.lr, _base_.pop('vgg16_max_lr')))
)
