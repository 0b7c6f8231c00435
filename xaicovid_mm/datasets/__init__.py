from .samplers import Draw, TwoStreamSampler
from .slice_dataset import SliceDataset
from .transforms import IntensityJitter, KeepOneLung, PackCTInputs, RandomGeometry, StrongView

__all__ = [
    'Draw',
    'IntensityJitter',
    'KeepOneLung',
    'PackCTInputs',
    'RandomGeometry',
    'SliceDataset',
    'StrongView',
    'TwoStreamSampler',
]
