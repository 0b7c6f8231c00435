from .samplers import Draw, TwoStreamSampler
from .slice_dataset import SliceDataset
from .transforms import IntensityJitter, PackCTInputs, RandomGeometry, StrongView

__all__ = [
    'Draw',
    'IntensityJitter',
    'PackCTInputs',
    'RandomGeometry',
    'SliceDataset',
    'StrongView',
    'TwoStreamSampler',
]
