from .rms_fusion import RMSFusion
from .sharpen_combination import SharpenCombination
from .weighted_mean import WeightedMean

__all__ = ['RMSFusion', 'SharpenCombination', 'WeightedMean']
