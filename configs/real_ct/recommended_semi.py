"""The recommended recipe on real CT: the benchmark's slices at 128 px, half the widths.

Needs the benchmark store, see docs/how-to/public-sets.md; run with
XAICOVID_STORE=data/benchmark/store XAICOVID_SPLIT=benchmark.
"""

_base_ = ['../recommended_semi.py', '../_base_/datasets/audit.py']

widths = (16, 32, 64, 128, 128)
max_epochs = 20
batches_per_epoch = 40  # the same number of labelled steps for every setting

# class is confounded with source: healthy lungs of COVID-19 patients are counter-examples
train_views = [dict(type='KeepOneLung', prob=0.6), *_base_.train_views]

model = dict(backbone=dict(widths=widths))
train_dataloader = dict(
    sampler=dict(batches_per_epoch=batches_per_epoch),
    dataset=dict(
        pipeline=[*train_views, *_base_.strong_views, dict(type='PackCTInputs', two_views=True)]
    ),
)
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(
    pseudo_label=dict(start_epoch=max_epochs // 2),
    pseudo_label_audit=dict(_base_.pop('audit'), interval=4, max_slices=40),
)
