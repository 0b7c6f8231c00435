"""Weakly supervised: the class of an unlabelled slice's patient is known, its mask is not."""

_base_ = 'semi_vgg.py'

train_dataloader = dict(dataset=dict(weak_labels=True))
default_hooks = dict(pseudo_label=dict(labeler=dict(evidence_from='label')))
