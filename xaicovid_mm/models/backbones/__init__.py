from .multi_scale_vgg import MultiScaleVGG

__all__ = ['MultiScaleVGG']
