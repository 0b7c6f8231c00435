"""Another encoder: ConvNeXt-T of mmpretrain."""

_base_ = 'semi_vgg.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        in_channels=1,
        out_indices=(0, 1, 2, 3),
        gap_before_final_norm=False,
    ),
)
# the three steps of semi_vgg.py are right under instance norm alone
default_hooks = dict(pseudo_label=dict(labeler=dict(saliency=dict(steps=8, rule='right'))))
