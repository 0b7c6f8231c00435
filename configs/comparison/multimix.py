"""MultiMix (Tables III and IV): one encoder, and a saliency bridge to the decoder.

Its own widths, double convolutions, pooled classifier and Dice loss; unlabelled slices teach their
class alone, from the weak view to the strong one. Left out: dropout, and the term between
labelled and unlabelled masks, which is 0 as released (models/baselines/multi_mix.py).
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py'

base = _base_.widths[0] // 2  # 16 at the paper's scale
widths = (base, 2 * base, 4 * base, 8 * base, 16 * base)

model = dict(
    type='MultiMixModel',
    backbone=dict(widths=widths, depths=(2, 2, 2, 2, 2)),
    cls_head=dict(_delete_=True, type='PooledHead', in_index=4, max_pool=True),
    decode_head=dict(type='SaliencyBridgeHead'),
    mask_loss=dict(_delete_=True, type='DiceLoss', smooth=1.0),
    loss_weights=dict(gamma=5.0),
)
default_hooks = dict(
    cam_loss_start=None,
    pseudo_label=None,
    evidence_fit=None,
    pseudo_label_monitor=None,
    pseudo_label_audit=None,
    pseudo_class=dict(
        type='PseudoClassHook', begin=0, end=0, weight=0.25, confidence=0.7, view='strong'
    ),
)
