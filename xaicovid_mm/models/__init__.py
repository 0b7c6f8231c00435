from ..utils import quiet_mmcv  # noqa: F401 (before mmpretrain)
from .averaged_weights import OwnStatisticsEMA
from .backbones import MultiScaleVGG
from .baselines import (
    VGG16,
    GradCAMRefiner,
    JCSDecodeHead,
    JCSEncoder,
    JCSModel,
    MultiMixModel,
    PseudoSegModel,
    SaliencyBridgeHead,
    SegNet,
    UniMatchModel,
)
from .calibration import EvidenceFusion, RMSFusion, SharpenCombination, WeightedMean
from .data_preprocessor import CTDataPreprocessor
from .decode_heads import UNetDecodeHead
from .heads import MultiScaleCAMHead, PooledHead
from .losses import BCEDiceLoss, CAMLoss, DiceLoss, WeightedBCELoss
from .lung_segmentor import LungSegmentor
from .multi_task_model import MultiTaskModel

__all__ = [
    'VGG16',
    'BCEDiceLoss',
    'CAMLoss',
    'CTDataPreprocessor',
    'DiceLoss',
    'EvidenceFusion',
    'GradCAMRefiner',
    'JCSDecodeHead',
    'JCSEncoder',
    'JCSModel',
    'LungSegmentor',
    'MultiMixModel',
    'MultiScaleCAMHead',
    'MultiScaleVGG',
    'MultiTaskModel',
    'OwnStatisticsEMA',
    'PooledHead',
    'PseudoSegModel',
    'RMSFusion',
    'SaliencyBridgeHead',
    'SegNet',
    'SharpenCombination',
    'UNetDecodeHead',
    'UniMatchModel',
    'WeightedBCELoss',
    'WeightedMean',
]
