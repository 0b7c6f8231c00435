from .jcs import JCSEncoder
from .multi_scale_vgg import MultiScaleVGG
from .segnet import SegNet
from .vgg16 import VGG16

__all__ = ['VGG16', 'JCSEncoder', 'MultiScaleVGG', 'SegNet']
