"""The recommended recipe without an average of the weights: the network teaches itself."""

_base_ = '../{{$XAICOVID_SCALE:.}}/recommended_semi.py'

default_hooks = dict(pseudo_label=dict(teacher='self'))
custom_hooks = []
