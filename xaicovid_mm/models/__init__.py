from .backbones import MultiScaleVGG
from .baselines.multi_mix import MultiMixModel
from .baselines.pseudo_seg import PseudoSegModel
from .calibration import SharpenCombination
from .data_preprocessor import CTDataPreprocessor
from .decode_heads import UNetDecodeHead
from .grad_cam_refiner import GradCAMRefiner
from .heads import MultiScaleCAMHead
from .jcs_model import JCSModel
from .losses import CAMLoss, WeightedBCELoss
from .lung_segmentor import LungSegmentor
from .multi_task_model import MultiTaskModel

__all__ = [
    'CAMLoss',
    'CTDataPreprocessor',
    'GradCAMRefiner',
    'JCSModel',
    'LungSegmentor',
    'MultiMixModel',
    'MultiScaleCAMHead',
    'MultiScaleVGG',
    'MultiTaskModel',
    'PseudoSegModel',
    'SharpenCombination',
    'UNetDecodeHead',
    'WeightedBCELoss',
]
