"""The method without unlabelled slices ("Ours" with a dagger in Tables III-V)."""

_base_ = [
    '_base_/models/multi_scale_vgg.py',
    '_base_/datasets/labelled.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(
    cam_loss_start=dict(type='CAMLossStartHook', begin=20),  # Fig. 6
)
