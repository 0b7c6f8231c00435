"""PseudoSeg with batch norm, as its own network has: beside ``bn_semi``, labels alone differ."""

_base_ = ['../comparison/pseudoseg.py', '../_base_/models/multi_scale_vgg_bn.py']

model = _base_.pop('batch_norm')
