"""Another encoder: ResNet-18 of mmpretrain, whose finest map has a quarter of the slice's side."""

_base_ = 'semi_vgg.py'

model = dict(
    backbone=dict(
        _delete_=True, type='mmpretrain.ResNet', depth=18, in_channels=1, out_indices=(0, 1, 2, 3)
    ),
)
# the three steps of semi_vgg.py are right under instance norm alone
default_hooks = dict(pseudo_label=dict(labeler=dict(saliency=dict(steps=8, rule='right'))))
