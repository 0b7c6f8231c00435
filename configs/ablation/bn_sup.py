"""Ours, supervised, with batch norm in place of the paper's instance norm.

Instance norm takes a slice's brightness away, and brightness is what HU are; see docs/results.md.
The decoder starts with infection at 1 in 100 pixels, as batch norm lets it leave that quickly.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/supervised_vgg.py'

model = dict(
    backbone=dict(norm_cfg=dict(type='BN')),
    decode_head=dict(
        norm_cfg=dict(type='BN'),
        init_cfg=dict(
            type='Kaiming',
            layer='Conv2d',
            a=0.2,
            nonlinearity='leaky_relu',
            override=dict(type='Normal', name='predict_logit', std=0.01, bias_prob=0.01),
        ),
    ),
)
