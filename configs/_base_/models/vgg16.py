"""What makes a model VGG-16 (Table III), at its published size.

Use it beside a base that has a model: ``model = _base_.pop('vgg16')``. Thirteen convolutions and
three linear layers with dropout, no norm; one input channel, from scratch.
"""

vgg16 = dict(
    backbone=dict(_delete_=True, type='VGG16', base=64),
    cls_head=dict(_delete_=True, type='PooledHead', pool_size=7, hidden=(4096, 4096)),
    decode_head=None,
)
vgg16_max_lr = 3e-4  # without any norm it learns nothing at the 1e-3 of the small scales
