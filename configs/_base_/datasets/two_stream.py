"""Training slices: a labelled and an unlabelled stream, the latter in a weak and a strong view."""

_base_ = 'evaluation.py'

labelled_per_batch = 8  # per process; not in the paper
unlabelled_per_batch = 8

train_dataloader = dict(
    batch_size=labelled_per_batch + unlabelled_per_batch,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(
        type='TwoStreamSampler',
        labelled_per_batch=labelled_per_batch,
        unlabelled_per_batch=unlabelled_per_batch,
    ),
    dataset=dict(
        type='SliceDataset',
        store={{_base_.store}},
        split={{_base_.split}},
        roles=['labelled', 'unlabelled'],
        weak_labels=False,  # True: the weakly supervised setting
        pipeline=[
            # Sec. III-D names contrast and sharpness; the ranges are FixMatch's
            dict(type='StrongView', contrast=(0.05, 0.95), sharpness=(0.05, 0.95)),
            dict(type='PackCTInputs', two_views=True),
        ],
    ),
)
