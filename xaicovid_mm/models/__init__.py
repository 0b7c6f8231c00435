from .backbones import MultiScaleVGG
from .calibration import SharpenCombination
from .data_preprocessor import CTDataPreprocessor
from .decode_heads import UNetDecodeHead
from .heads import MultiScaleCAMHead
from .losses import CAMLoss, WeightedBCELoss
from .lung_segmentor import LungSegmentor
from .multi_task_model import MultiTaskModel

__all__ = [
    'CAMLoss',
    'CTDataPreprocessor',
    'LungSegmentor',
    'MultiScaleCAMHead',
    'MultiScaleVGG',
    'MultiTaskModel',
    'SharpenCombination',
    'UNetDecodeHead',
    'WeightedBCELoss',
]
