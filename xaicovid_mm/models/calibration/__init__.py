from .sharpen_combination import SharpenCombination
from .weighted_mean import WeightedMean

__all__ = ['SharpenCombination', 'WeightedMean']
