"""The network that we recommend: the paper's, and what measurements have changed in it.

Nothing here but the encoder's shape is in the paper; docs/explanation/recipe.md gives the reasons.
"""

widths = (32, 64, 128, 256, 256)  # Sec. III-B, Conv1 to Conv5
norm = 'BN'  # brightness is what HU are, and instance norm takes it away

model = dict(
    type='MultiTaskModel',
    channels_last=True,  # how maps lie in memory: faster with batch norm
    backbone=dict(
        type='MultiScaleVGG',
        widths=widths,
        out_stages=(1, 2, 3, 4, 5),
        norm_cfg=dict(type=norm),
    ),
    cls_head=dict(
        type='MultiScaleCAMHead',
        in_index=(-3, -2, -1),
        num_classes=3,  # NP, CAP, COVID-19
        # the CAAM follows the CAM, which it leaves alone, where there is something to be found
        cam_loss=dict(type='CAMLoss', detach='all'),
        cam_on='infected_lungs',
        encoder_grad=0.0,  # the encoder learns infection; class would teach it the source
        adapter=1,  # features of the classifier's own, which the CAM loss can shape
        map_weight=5.0,  # the COVID-19 score maps are compared with the masks
    ),
    decode_head=dict(
        type='UNetDecodeHead',
        norm_cfg=dict(type=norm),
        init_cfg=dict(  # infection starts at 1 in 100 pixels
            type='Kaiming',
            layer='Conv2d',
            a=0.2,
            nonlinearity='leaky_relu',
            override=dict(type='Normal', name='predict_logit', std=0.01, bias_prob=0.01),
        ),
    ),
    # the Dice of the batch keeps the level of the labels where the cross entropy would not
    mask_loss=dict(type='BCEDiceLoss', bce_weight=0.75, dice_weight=0.25),
    loss_weights=dict(beta=1.0, gamma=5.0, eta=5.0),
)
