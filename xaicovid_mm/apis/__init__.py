from .ct_inferencer import CTInferencer
from .init_model import init_model
from .lung_extractor import LungExtractor
from .lung_methods import lung_method

__all__ = ['CTInferencer', 'LungExtractor', 'init_model', 'lung_method']
