"""Ours in the comparison, semi-supervised, at the scale that XAICOVID_SCALE names."""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SEMI:semi_vgg}}.py'
