"""Hu et al. (Table III): score maps at Conv3 to Conv5, maxima summed, cross entropy alone.

Our classifier without its CAM loss and without a decoder. Left out: their lesion maps, which no
table scores, and their batch norm (model.backbone.norm_cfg=dict(type='BN') brings it back).
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SUPERVISED:supervised_vgg}}.py'

model = dict(
    cls_head=dict(alphas=(0.0, 0.0, 0.0), encoder_grad=1.0, adapter=0, map_weight=0.0),
    decode_head=None,
)
default_hooks = dict(cam_loss_start=None)
