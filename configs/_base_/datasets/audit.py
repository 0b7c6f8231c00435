"""The audit of pseudo labels against the hidden masks of the unlabelled slices.

Use it beside a base that has pseudo labels: ``pseudo_label_audit=_base_.pop('audit')`` among the
``default_hooks``.
"""

audit = dict(
    type='PseudoLabelAuditHook',
    dataset=dict(
        type='SliceDataset',
        store='{{$XAICOVID_STORE:data/phantom/store}}',
        split='{{$XAICOVID_SPLIT:default}}',
        roles=['unlabelled'],
        reveal=True,  # the audit alone opens these masks
        pipeline=[dict(type='PackCTInputs')],
    ),
)
