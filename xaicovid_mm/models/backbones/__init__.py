from .local_weights import LocalWeights
from .multi_scale_vgg import MultiScaleVGG
from .pretrained_encoder import PretrainedEncoder
from .simple_feature_pyramid import SimpleFeaturePyramid

__all__ = ['LocalWeights', 'MultiScaleVGG', 'PretrainedEncoder', 'SimpleFeaturePyramid']
