"""Mean Teacher (Tarvainen and Valpola) on our network: soft masks of an average of the weights.

The average is the mean of all steps at first and moves by 1 % a step from the hundredth on; its
decoder alone speaks, and eta grows over a fifth of the epochs.
Not in the paper's tables.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py'

epochs = _base_.train_cfg.max_epochs

default_hooks = dict(
    pseudo_label=dict(
        teacher='ema',
        paste=None,
        start_when=None,
        start_epoch=0,
        ramp_epochs=max(epochs // 5, 1),
        labeler=dict(
            evidence_from='none',
            calibration=dict(_delete_=True, type='WeightedMean', weights=(0, 0, 1)),
        ),
    ),
    evidence_fit=None,
    pseudo_label_audit=None,
)
custom_hooks = [dict(type='AveragedTeacherHook', momentum=0.01)]
