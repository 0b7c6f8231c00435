"""ResNet-18 of mmpretrain (Table III): plain cross entropy on the labelled slices, from scratch."""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SUPERVISED:supervised_vgg}}.py'

base = 2 * _base_.widths[0]  # 64 at the paper's scale

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=18,
        in_channels=1,
        stem_channels=base,
        base_channels=base,
        out_indices=(3,),
    ),
    cls_head=dict(_delete_=True, type='PooledHead'),
    decode_head=None,
)
default_hooks = dict(cam_loss_start=None)
