"""Table V, weakly supervised, without sharpen: the weighted mean of the three maps."""

_base_ = '../{{$XAICOVID_SCALE:.}}/weakly_vgg.py'

default_hooks = dict(
    pseudo_label=dict(
        labeler=dict(
            calibration=dict(_delete_=True, type='WeightedMean', weights=(0.3, 0.4, 0.4)),
        ),
    ),
)
