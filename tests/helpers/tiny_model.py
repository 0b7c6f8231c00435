"""The smallest network of every kind of part."""

WIDTHS = [2, 3, 4, 4, 4]
CONFIG = dict(
    type='MultiTaskModel',
    backbone=dict(type='MultiScaleVGG', widths=WIDTHS, out_stages=[1, 2, 3, 4, 5]),
    cls_head=dict(type='MultiScaleCAMHead', in_channels=WIDTHS[2:]),
    decode_head=dict(type='UNetDecodeHead', in_channels=WIDTHS),
)
