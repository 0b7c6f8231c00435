"""Ours, supervised, with batch norm in place of the paper's instance norm.

Instance norm takes a slice's brightness away, and brightness is what HU are;
see docs/results/archive.md.
"""

_base_ = [
    '../{{$XAICOVID_SCALE:.}}/supervised_vgg.py',
    '../_base_/models/multi_scale_vgg_bn.py',
]

model = _base_.pop('batch_norm')
