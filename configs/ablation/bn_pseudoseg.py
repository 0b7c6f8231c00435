"""PseudoSeg with batch norm, as its own network has: beside ``bn_semi``, labels alone differ.

The decoder starts with infection at 1 in 100 pixels, as batch norm lets it leave that quickly.
"""

_base_ = '../comparison/pseudoseg.py'

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
