"""The lung model on the phantom, where no lung masks are at hand: minutes on one CPU core.

For phantoms: on patients it finds lung in the belly, see docs/results/lungs.md. It needs the store
that docs/how-to/lungs.md makes.
"""

_base_ = ['unet.py']

store = '{{$XAICOVID_STORE:data/phantom/lungs}}'
split = '{{$XAICOVID_SPLIT:default}}'
max_epochs = 10

train_dataloader = dict(dataset=dict(store=store, split=split))
val_dataloader = dict(dataset=dict(store=store, split=split))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(  # as in _base_/schedules/practical.py
    paramwise_cfg=dict(custom_keys=dict(predict_logit=dict(lr_mult=10)))
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True)
]
