"""The oracle: the true masks of all unlabelled slices. An upper bound, and never a method.

Ours, semi-supervised, with true masks in place of pseudo masks from the first epoch on. What it
gains over ours, supervised, is all that any pseudo label can gain.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py'

train_dataloader = dict(dataset=dict(reveal=True))  # the masks that a method must not see
default_hooks = dict(
    pseudo_label=dict(type='OracleLabelHook', start_when=None, start_epoch=0),
    evidence_fit=None,
    pseudo_label_monitor=None,
    pseudo_label_audit=None,
)
