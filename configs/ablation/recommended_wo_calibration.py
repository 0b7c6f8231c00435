"""The recommended recipe without the fitted posterior: the weighted mean of the three maps."""

_base_ = '../{{$XAICOVID_SCALE:.}}/recommended_semi.py'

default_hooks = dict(
    pseudo_label=dict(
        labeler=dict(
            calibration=dict(_delete_=True, type='WeightedMean', weights=(0.3, 0.4, 0.4)),
        ),
    ),
    evidence_fit=None,
)
