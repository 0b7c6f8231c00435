"""What batch norm changes in a model with the paper's encoder and our decoder.

Use it beside a base that has such a model: ``model = _base_.pop('batch_norm')``.
"""

batch_norm = dict(
    backbone=dict(norm_cfg=dict(type='BN')),
    decode_head=dict(
        norm_cfg=dict(type='BN'),
        # infection starts at 1 in 100 pixels, as batch norm lets the decoder leave that quickly
        init_cfg=dict(
            type='Kaiming',
            layer='Conv2d',
            a=0.2,
            nonlinearity='leaky_relu',
            override=dict(type='Normal', name='predict_logit', std=0.01, bias_prob=0.01),
        ),
    ),
)
