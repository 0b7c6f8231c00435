"""The quick run with the class of every unlabelled slice."""

_base_ = 'semi_vgg.py'

train_dataloader = dict(dataset=dict(weak_labels=True))
default_hooks = dict(pseudo_label=dict(labeler=dict(evidence_from='label')))
