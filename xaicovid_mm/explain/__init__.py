from .activation_maps import caam, cam, fuse_scales, min_max
from .fused_activation import FusedActivation
from .integrated_gradients import completeness_gap, integrated_gradients
from .pseudo_labeler import PseudoLabeler
from .saliency import Saliency

__all__ = [
    'FusedActivation',
    'PseudoLabeler',
    'Saliency',
    'caam',
    'cam',
    'completeness_gap',
    'fuse_scales',
    'integrated_gradients',
    'min_max',
]
