from .multi_scale_cam_head import MultiScaleCAMHead

__all__ = ['MultiScaleCAMHead']
