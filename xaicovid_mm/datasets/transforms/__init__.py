from .intensity_jitter import IntensityJitter
from .keep_one_lung import KeepOneLung
from .pack_ct_inputs import PackCTInputs
from .random_geometry import RandomGeometry
from .strong_view import StrongView

__all__ = ['IntensityJitter', 'KeepOneLung', 'PackCTInputs', 'RandomGeometry', 'StrongView']
