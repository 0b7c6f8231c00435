from .evidence_fusion import EvidenceFusion
from .rms_fusion import RMSFusion
from .sharpen_combination import SharpenCombination
from .weighted_mean import WeightedMean

__all__ = ['EvidenceFusion', 'RMSFusion', 'SharpenCombination', 'WeightedMean']
