"""Supervised on real CT, with the same number of labelled steps as semi_vgg.py."""

_base_ = 'semi_vgg.py'

train_dataloader = dict(
    batch_size=_base_.labelled_per_batch,
    sampler=dict(unlabelled_per_batch=0),
    dataset=dict(roles=['labelled'], pipeline=[*_base_.train_views, dict(type='PackCTInputs')]),
)
default_hooks = dict(pseudo_label=None, pseudo_label_monitor=None, pseudo_label_audit=None)
