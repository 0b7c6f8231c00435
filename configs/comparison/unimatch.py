"""UniMatch (Yang et al., 2023) on our network: FixMatch with two strong views and dropped features.

Half of eta teaches the strong views, half the weak view with half of its features dropped. Boxes
of other unlabelled slices are pasted into the strong views (CutMix); as published, but into each.
Not in the paper's tables.
"""

_base_ = 'fixmatch.py'

model = dict(type='UniMatchModel')
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(step, type='TwoStrongViews') if step['type'] == 'StrongView' else step
            for step in _base_.train_dataloader.dataset.pipeline
        ]
    )
)
default_hooks = dict(
    pseudo_label=dict(
        type='UniMatchHook',
        paste=dict(_delete_=True, type='PasteBoxes', area=(0.02, 0.4), labelled=0.0),
    )
)
