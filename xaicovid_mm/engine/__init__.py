from .ct_runner import CTRunner

__all__ = ['CTRunner']
