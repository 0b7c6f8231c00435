"""Ours in the comparison, supervised, at the scale that XAICOVID_SCALE names."""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SUPERVISED:supervised_vgg}}.py'
