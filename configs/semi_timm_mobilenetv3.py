"""Another encoder: any timm model, here MobileNetV3-Small (pip install xaicovid_mm[timm])."""

_base_ = 'semi_vgg.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.TIMMBackbone',
        model_name='mobilenetv3_small_100',
        features_only=True,
        in_channels=1,
        pretrained=False,
    ),
)
# the three steps of semi_vgg.py are right under instance norm alone
default_hooks = dict(pseudo_label=dict(labeler=dict(saliency=dict(steps=8, rule='right'))))
