from .dense_patches import DensePatches
from .intensity_jitter import IntensityJitter
from .keep_one_lung import KeepOneLung
from .pack_ct_inputs import PackCTInputs
from .random_geometry import RandomGeometry
from .random_window import RandomWindow
from .strong_view import StrongView
from .two_strong_views import TwoStrongViews

__all__ = [
    'DensePatches',
    'IntensityJitter',
    'KeepOneLung',
    'PackCTInputs',
    'RandomGeometry',
    'RandomWindow',
    'StrongView',
    'TwoStrongViews',
]
