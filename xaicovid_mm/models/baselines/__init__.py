from .jcs import JCSDecodeHead, JCSEncoder, JCSModel
from .multi_mix import MultiMixModel, SaliencyBridgeHead
from .pseudo_seg import GradCAMRefiner, PseudoSegModel
from .segnet import SegNet
from .uni_match import UniMatchModel
from .vgg16 import VGG16

__all__ = [
    'VGG16',
    'GradCAMRefiner',
    'JCSDecodeHead',
    'JCSEncoder',
    'JCSModel',
    'MultiMixModel',
    'PseudoSegModel',
    'SaliencyBridgeHead',
    'SegNet',
    'UniMatchModel',
]
