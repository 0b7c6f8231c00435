from .multi_scale_cam_head import MultiScaleCAMHead
from .pooled_head import PooledHead

__all__ = ['MultiScaleCAMHead', 'PooledHead']
