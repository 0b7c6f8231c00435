"""The whole method in minutes on two CPU cores: a quarter of the widths, the phantom's slices."""

_base_ = ['../semi_vgg.py', '../_base_/datasets/audit.py']

widths = (8, 16, 32, 64, 64)
max_epochs = 20
batches_per_epoch = 48  # the same number of labelled steps for every setting

train_views = [  # few patients: not in the paper
    dict(type='RandomGeometry', flip_prob=0.5, rotate_deg=(-11, 11), scale=(0.85, 1.2), shift=0.08),
]

model = dict(backbone=dict(widths=widths))
train_dataloader = dict(
    sampler=dict(batches_per_epoch=batches_per_epoch),
    dataset=dict(
        pipeline=[
            *train_views,
            dict(type='StrongView', contrast=(0.05, 0.95), sharpness=(0.05, 0.95)),
            dict(type='PackCTInputs', two_views=True),
        ]
    ),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))  # ten times the paper's: the network is small
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[max_epochs * 2 // 3, max_epochs * 17 // 20], gamma=0.1)
]
default_hooks = dict(
    cam_loss_start=dict(begin=8),
    pseudo_label=dict(start_epoch=8),
    pseudo_label_audit=dict(_base_.pop('audit'), interval=4, max_slices=40),
)
