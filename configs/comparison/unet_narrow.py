"""U-Net as in unet.py, from our first width on: 32 to 512 channels, an encoder of our budget.

What a network wins by its size is so told from what it wins by its design. Not in the paper.
"""

_base_ = 'unet.py'

base = _base_.widths[0]

model = dict(
    backbone=dict(base_channels=base),
    decode_head=dict(channels=base),
)
