"""The paper's schedule, literally (Sec. IV-A): by epoch 60 the rate is 1e-7 and little moves."""

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=1)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.9)),
    # not in the paper: Adam moves a weight by its rate a step, and the one layer without a norm
    # behind it starts near 0 and would not get away from there
    paramwise_cfg=dict(custom_keys=dict(predict_logit=dict(lr_mult=10), conv_seg=dict(lr_mult=10))),
)
param_scheduler = [dict(type='StepLR', step_size=20, gamma=0.1, by_epoch=True)]
