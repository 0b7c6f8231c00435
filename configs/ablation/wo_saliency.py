"""Table V, semi-supervised, without the saliency map: CAAM_l and decoder alone are fused."""

_base_ = '../{{$XAICOVID_SCALE:.}}/semi_vgg.py'

default_hooks = dict(
    pseudo_label=dict(labeler=dict(calibration=dict(weights=(0.3, 0.0, 0.4)))),
)
