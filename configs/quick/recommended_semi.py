"""The recommended recipe in minutes on two CPU cores, on the phantom's slices."""

_base_ = ['../recommended_semi.py', '../_base_/datasets/audit.py']

widths = (8, 16, 32, 64, 64)
max_epochs = 20
batches_per_epoch = 48  # the same number of labelled steps for every setting

train_views = [  # few patients
    dict(type='RandomGeometry', flip_prob=0.5, rotate_deg=(-11, 11), scale=(0.85, 1.2), shift=0.08),
]

model = dict(backbone=dict(widths=widths))
train_dataloader = dict(
    sampler=dict(batches_per_epoch=batches_per_epoch),
    dataset=dict(
        pipeline=[*train_views, *_base_.strong_views, dict(type='PackCTInputs', two_views=True)]
    ),
)
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(
    pseudo_label=dict(start_epoch=max_epochs * 3 // 4),  # phantoms have little to gain by labels
    evidence_fit=dict(interval=3, max_slices=40),
    pseudo_label_audit=dict(_base_.pop('audit'), interval=10, max_slices=40),
)
