"""Lungs of whole slices (Sec. III-A): a small U-Net at 128 px, ten minutes on one CPU core.

Needs a store of whole slices with lung masks, see docs/how-to/lungs.md. Everything here but
the step itself is not in the paper.
"""

_base_ = ['../_base_/default_runtime.py']

store = '{{$XAICOVID_STORE:data/lungs/store}}'
split = '{{$XAICOVID_SPLIT:lungs}}'
widths = (8, 16, 32, 64, 64)
window = (-1350, 150)  # a display store has its own already
max_epochs = 25
slices_per_batch = 8

model = dict(
    type='LungSegmentor',
    backbone=dict(
        type='MultiScaleVGG', depths=(2, 2, 2, 2, 2), widths=widths, out_stages=(1, 2, 3, 4, 5)
    ),
    decode_head=dict(type='UNetDecodeHead'),
    size=128,
    window=window,
)

train_views = [
    dict(type='DensePatches', prob=0.4, patches=3, radius=(0.05, 0.2)),
    dict(type='RandomGeometry', flip_prob=0.5, rotate_deg=(-15, 15), scale=(0.75, 1.3), shift=0.1),
    dict(type='RandomWindow', low=(-0.2, 0.2), high=(0.7, 1.3)),
    dict(type='IntensityJitter', gamma=(0.6, 1.6), noise_std=(0, 0.06)),
]
train_dataloader = dict(
    batch_size=slices_per_batch,
    num_workers=0,
    sampler=dict(
        type='TwoStreamSampler', labelled_per_batch=slices_per_batch, batches_per_epoch=50
    ),
    dataset=dict(
        type='WholeSliceDataset',
        store=store,
        split=split,
        roles=['labelled'],
        pipeline=[*train_views, dict(type='PackCTInputs')],
        window=window,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='WholeSliceDataset',
        store=store,
        split=split,
        roles=['val'],
        pipeline=[dict(type='PackCTInputs')],
        window=window,
    ),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='LungMetric')]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=3e-3, betas=(0.9, 0.99)))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True)
]
