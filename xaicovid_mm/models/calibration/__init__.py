from .sharpen_combination import SharpenCombination

__all__ = ['SharpenCombination']
