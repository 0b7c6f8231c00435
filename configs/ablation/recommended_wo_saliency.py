"""The recommended recipe without the saliency map: the fitted posterior does not see it."""

_base_ = '../{{$XAICOVID_SCALE:.}}/recommended_semi.py'

default_hooks = dict(
    pseudo_label=dict(labeler=dict(calibration=dict(sources=('caam', 'prob', 'covid')))),
)
