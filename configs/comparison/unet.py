"""U-Net of mmsegmentation (Table IV): five levels, batch norm, transposed convolutions.

The mask loss is ours, so that the networks are compared and not their losses.
"""

_base_ = '../{{$XAICOVID_SCALE:.}}/{{$XAICOVID_SUPERVISED:supervised_vgg}}.py'

base = 2 * _base_.widths[0]  # 64 at the paper's scale

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmseg.UNet',
        in_channels=1,
        base_channels=base,
        upsample_cfg=dict(type='mmseg.DeconvModule', kernel_size=2),
    ),
    cls_head=None,
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        _scope_='mmseg',  # its own loss, unused here, is built in that scope
        in_index=4,
        channels=base,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        init_cfg=dict(type='Normal', std=0.01, bias_prob=0.01, override=dict(name='conv_seg')),
    ),
)
default_hooks = dict(cam_loss_start=None)
