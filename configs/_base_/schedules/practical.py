"""The paper's optimiser with two drops, at half and at four fifths; not in the paper."""

max_epochs = 300

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.9)),
    # not in the paper: Adam moves a weight by its rate a step, and the one layer without a norm
    # behind it starts near 0 and would not get away from there
    paramwise_cfg=dict(custom_keys=dict(predict_logit=dict(lr_mult=10), conv_seg=dict(lr_mult=10))),
)
param_scheduler = [
    dict(
        type='MultiStepLR',
        milestones=[max_epochs // 2, max_epochs * 4 // 5],
        gamma=0.1,
        by_epoch=True,
    )
]
