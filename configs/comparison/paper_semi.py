"""The paper's literal configuration, whatever recipe the other rows share."""

_base_ = '../{{$XAICOVID_SCALE:.}}/semi_vgg.py'
