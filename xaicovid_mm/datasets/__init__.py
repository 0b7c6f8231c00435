from .paste_boxes import PasteBoxes
from .samplers import Draw, TwoStreamSampler
from .slice_dataset import SliceDataset
from .transforms import (
    DensePatches,
    IntensityJitter,
    KeepOneLung,
    PackCTInputs,
    RandomGeometry,
    RandomWindow,
    StrongView,
)
from .whole_slice_dataset import WholeSliceDataset

__all__ = [
    'DensePatches',
    'Draw',
    'IntensityJitter',
    'KeepOneLung',
    'PackCTInputs',
    'PasteBoxes',
    'RandomGeometry',
    'RandomWindow',
    'SliceDataset',
    'StrongView',
    'TwoStreamSampler',
    'WholeSliceDataset',
]
