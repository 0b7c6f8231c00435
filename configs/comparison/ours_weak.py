"""Ours in the comparison, weakly supervised, at the scale that XAICOVID_SCALE names."""

_base_ = '../{{$XAICOVID_SCALE:.}}/weakly_vgg.py'
