"""The recommended recipe without guidance: nothing compares the class maps with masks."""

_base_ = '../{{$XAICOVID_SCALE:.}}/recommended_semi.py'

model = dict(cls_head=dict(map_weight=0.0))
