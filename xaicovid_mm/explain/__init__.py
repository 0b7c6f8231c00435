from .activation_maps import caam, cam, fuse_scales, min_max
from .captum_attribution import CaptumAttribution
from .explainers import (
    ActivationExplainer,
    BlankExplainer,
    DecoderExplainer,
    Explainer,
    GradCAMExplainer,
    InfectionSaliencyExplainer,
    IntensityExplainer,
    RandomExplainer,
    SaliencyExplainer,
)
from .fused_activation import FusedActivation, class_activation
from .grad_cam import grad_cam
from .infection_score import infection_mask, infection_score
from .integrated_gradients import completeness_gap, integrated_gradients
from .pseudo_labeler import PseudoLabeler
from .pseudo_seg_labeler import PseudoSegLabeler
from .saliency import Saliency

__all__ = [
    'ActivationExplainer',
    'BlankExplainer',
    'CaptumAttribution',
    'DecoderExplainer',
    'Explainer',
    'FusedActivation',
    'GradCAMExplainer',
    'InfectionSaliencyExplainer',
    'IntensityExplainer',
    'PseudoLabeler',
    'PseudoSegLabeler',
    'RandomExplainer',
    'Saliency',
    'SaliencyExplainer',
    'caam',
    'cam',
    'class_activation',
    'completeness_gap',
    'fuse_scales',
    'grad_cam',
    'infection_mask',
    'infection_score',
    'integrated_gradients',
    'min_max',
]
