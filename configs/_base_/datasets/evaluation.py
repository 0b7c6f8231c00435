"""Validation and test slices of a slice store, with their metrics."""

store = '{{$XAICOVID_STORE:data/phantom/store}}'
split = '{{$XAICOVID_SPLIT:default}}'

_plain = [dict(type='PackCTInputs')]

val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SliceDataset', store=store, split=split, roles=['val'], pipeline=_plain),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='SliceDataset', store=store, split=split, roles=['test'], pipeline=_plain),
)
val_evaluator = [dict(type='InfectionMetric'), dict(type='DiagnosisMetric')]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
