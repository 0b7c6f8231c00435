from ..baselines.jcs import JCSEncoder
from ..baselines.segnet import SegNet
from ..baselines.vgg16 import VGG16
from .multi_scale_vgg import MultiScaleVGG

__all__ = ['VGG16', 'JCSEncoder', 'MultiScaleVGG', 'SegNet']
