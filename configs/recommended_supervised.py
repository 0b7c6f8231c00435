"""The recipe that we recommend, on the annotated slices alone."""

_base_ = 'recommended_semi.py'

train_dataloader = dict(
    batch_size=_base_.labelled_per_batch,
    sampler=dict(unlabelled_per_batch=0),
    dataset=dict(roles=['labelled'], pipeline=[*_base_.train_views, dict(type='PackCTInputs')]),
)
default_hooks = dict(pseudo_label=None, evidence_fit=None, pseudo_label_monitor=None)
