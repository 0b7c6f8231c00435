"""Table V, weakly supervised, without the CAM loss: the maps come from cross entropy alone."""

_base_ = '../{{$XAICOVID_SCALE:.}}/weakly_vgg.py'

model = dict(cls_head=dict(alphas=(0.0, 0.0, 0.0)))
default_hooks = dict(cam_loss_start=None)
