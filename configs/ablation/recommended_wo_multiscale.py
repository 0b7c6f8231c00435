"""The recommended recipe without several scales: score maps and CAAM_l at Conv5 alone."""

_base_ = '../{{$XAICOVID_SCALE:.}}/recommended_semi.py'

model = dict(cls_head=dict(in_index=(-1,), alphas=(5.0,)))
