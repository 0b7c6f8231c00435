"""The paper's network at its full size: 6.2 million parameters (Secs. III-B, III-C)."""

widths = (32, 64, 128, 256, 256)  # Sec. III-B, Conv1 to Conv5

model = dict(
    type='MultiTaskModel',
    backbone=dict(type='MultiScaleVGG', widths=widths, out_stages=(1, 2, 3, 4, 5)),
    cls_head=dict(
        type='MultiScaleCAMHead',
        in_index=(-3, -2, -1),  # Conv3, Conv4, Conv5: Sec. III-C
        num_classes=3,  # NP, CAP, COVID-19
        alphas=(5.0, 5.0, 5.0),  # Sec. IV-A
        cam_loss=dict(type='CAMLoss', detach='weights', reduction='mean'),  # not in the paper
    ),
    decode_head=dict(type='UNetDecodeHead'),  # not in the paper
    mask_loss=dict(type='WeightedBCELoss', bg_weight=0.5),  # w of Eq. (11), not in the paper
    loss_weights=dict(beta=1.0, gamma=5.0, eta=5.0),  # Sec. IV-A
)
