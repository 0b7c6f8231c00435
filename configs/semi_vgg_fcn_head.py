"""Another decoder: a head of mmsegmentation, with its own features and our mask loss."""

_base_ = 'semi_vgg.py'

model = dict(
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        _scope_='mmseg',  # its own loss, unused here, is built in that scope
        in_index=2,
        channels=64,
        num_convs=2,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        norm_cfg=dict(type='IN'),
    ),
)
