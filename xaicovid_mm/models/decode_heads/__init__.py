from .unet_decode_head import UNetDecodeHead

__all__ = ['UNetDecodeHead']
