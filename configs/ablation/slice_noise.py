"""Weakly supervised, with our remedy for patient labels on slices without infection.

A slice shows its patient's class or nothing: -log(p_y + p_NP) in place of the cross entropy.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/weakly_vgg.py'

default_hooks = dict(pseudo_label=dict(slice_noise=True))
