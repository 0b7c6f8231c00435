"""Training slices: the labelled stream alone."""

_base_ = 'evaluation.py'

labelled_per_batch = 8  # per process; not in the paper

train_dataloader = dict(
    batch_size=labelled_per_batch,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='TwoStreamSampler', labelled_per_batch=labelled_per_batch),
    dataset=dict(
        type='SliceDataset',
        store={{_base_.store}},
        split={{_base_.split}},
        roles=['labelled'],
        pipeline=[dict(type='PackCTInputs')],
    ),
)
