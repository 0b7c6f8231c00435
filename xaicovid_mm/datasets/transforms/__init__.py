from .intensity_jitter import IntensityJitter
from .pack_ct_inputs import PackCTInputs
from .random_geometry import RandomGeometry
from .strong_view import StrongView

__all__ = ['IntensityJitter', 'PackCTInputs', 'RandomGeometry', 'StrongView']
