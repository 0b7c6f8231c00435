"""Ours, semi-supervised, with batch norm in place of the paper's instance norm.

Instance norm takes a slice's brightness away, and brightness is what HU are;
see docs/results/archive.md.
The three steps of semi_vgg.py are right under instance norm alone: here are eight even steps.
"""

_base_ = [
    '../{{$XAICOVID_SCALE:.}}/semi_vgg.py',
    '../_base_/models/multi_scale_vgg_bn.py',
]

model = _base_.pop('batch_norm')
default_hooks = dict(
    pseudo_label=dict(labeler=dict(saliency=dict(steps=8, rule='right'))),
)
