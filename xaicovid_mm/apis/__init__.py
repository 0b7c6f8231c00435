from .ct_inferencer import CTInferencer
from .init_model import init_model
from .lungs.extractor import LungExtractor
from .lungs.methods import lung_method

__all__ = ['CTInferencer', 'LungExtractor', 'init_model', 'lung_method']
