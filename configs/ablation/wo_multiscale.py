"""Table V, semi-supervised, without several scales: score maps and CAAM_l at Conv5 alone."""

_base_ = '../{{$XAICOVID_SCALE:.}}/semi_vgg.py'

model = dict(cls_head=dict(in_index=(-1,), alphas=(5.0,)))
